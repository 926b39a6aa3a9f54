"""The standard library's sqlite3 without batching: one query per lookup.

    python experiments/batching/peers/sqlite_alone.py --file records.db --items 50000

The query runs in the loop's own thread: in a thread of the executor, as services do it to keep the loop free, a
lookup costs several times as much. Prints its figures as a line of JSON.
"""

from __future__ import annotations

import argparse
import sqlite3
from pathlib import Path
from typing import Any

from headrace.experiment.batching import loops, store


async def main(args: argparse.Namespace) -> loops.Tally:
    store.fill_sqlite(args.file)
    database = sqlite3.connect(args.file)
    query = store.QUERY.format("?")

    async def get(item: int) -> Any:
        row = database.execute(query, (item % store.RECORDS,)).fetchone()
        return row[1] if row else None

    await loops.closed(get, args.items // 10, args.callers, expected=store.value)
    return await loops.closed(get, args.items, args.callers, expected=store.value)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, default=Path("records.db"))
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    options = parser.parse_args()
    loops.say(loops.run(main(options), options.loop))
