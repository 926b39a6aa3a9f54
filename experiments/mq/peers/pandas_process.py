"""The processor in plain pandas: read both kinds of CSV, join them by id, write three files.

    python experiments/mq/peers/pandas_process.py --producers p*.csv --consumers c*.csv --out DIR

latencies.csv ``id,processing_ms,send_ms`` (received - sent, acked - sent), throughput.csv
``second,received,sent`` (seconds from the first send), summary.csv (minimum, maximum, average and sample
standard deviation of both latencies and both rates). Input is epoch seconds with a fraction and no header; an
id counts with its earliest send and its earliest receipt. It looks for no torn rows, duplicates or losses.
``--arrow`` writes the long file with pyarrow, about eight times as fast as pandas' own writer.
Standard error: one JSON line with rows, seconds (reading to the last file closed), cpu_s and peak memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.csv


def parse_args() -> argparse.Namespace:
    """The processor's flags."""
    parser = argparse.ArgumentParser(description="The processor in plain pandas.")
    parser.add_argument("--producers", nargs="+", type=Path, required=True)
    parser.add_argument("--consumers", nargs="+", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--arrow", action="store_true", help="write latencies.csv with pyarrow")
    return parser.parse_args()


def read(paths: list[Path], names: list[str]) -> pd.DataFrame:
    """All rows of `paths`, the earliest of each id."""
    parts = [pd.read_csv(path, engine="pyarrow", header=None, names=names) for path in paths]
    rows = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
    if rows["id"].is_unique:
        return rows
    return rows.sort_values(names[1]).drop_duplicates("id")


def per_second(times: pd.Series[float], origin: float) -> np.ndarray:
    """How many of `times` (epoch seconds) fall into each second after `origin`."""
    return np.bincount(((times - origin) // 1.0).astype("int64"))


def process(args: argparse.Namespace) -> int:
    """Write the three files; return the rows joined."""
    sent = read(args.producers, ["id", "sent", "acked"])
    received = read(args.consumers, ["id", "received", "receive_acked"])
    joined = sent.merge(received, on="id")
    latencies = pd.DataFrame(
        {
            "id": joined["id"],
            "processing_ms": (joined["received"] - joined["sent"]) * 1e3,
            "send_ms": (joined["acked"] - joined["sent"]) * 1e3,
        }
    )
    origin = float(sent["sent"].min())
    counts = [per_second(received["received"], origin), per_second(sent["sent"], origin)]
    length = max(len(c) for c in counts)
    columns = [np.pad(c, (0, length - len(c))) for c in counts]
    throughput = pd.DataFrame({"second": np.arange(length), "received": columns[0], "sent": columns[1]})

    measures = pd.concat(
        [
            latencies[["processing_ms", "send_ms"]].agg(["min", "max", "mean", "std"]).T,
            throughput[["received", "sent"]].agg(["min", "max", "mean", "std"]).T,
        ]
    )
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "latencies.csv"
    if args.arrow:
        pyarrow.csv.write_csv(pyarrow.Table.from_pandas(latencies, preserve_index=False), path)
    else:
        latencies.round(6).to_csv(path, index=False)
    throughput.to_csv(args.out / "throughput.csv", index=False)
    measures.to_csv(args.out / "summary.csv", index_label="metric")
    return len(joined)


def main() -> None:
    """Process, then say in one line how it went."""
    args = parse_args()
    start = time.perf_counter()
    rows = process(args)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    summary = {
        "rows": rows,
        "seconds": time.perf_counter() - start,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_memory_bytes": usage.ru_maxrss * 1024,
    }
    print(json.dumps(summary), file=sys.stderr)


if __name__ == "__main__":
    main()
