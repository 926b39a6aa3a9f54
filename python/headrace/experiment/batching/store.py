"""What the coalescing workloads look up, in Redis and in SQLite, the same for ours and for every rival.

Item n is about record ``n % RECORDS``; its value is ``value(n)``, 100 bytes that begin with the number of the record.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from headrace.servers.resp import RespClient

RECORDS: Final = 10_000
SIZE: Final = 100
QUERY: Final = "SELECT id, body FROM records WHERE id IN ({})"


def value(item: int) -> bytes:
    """What the record of ``item`` holds."""
    return VALUES[item % RECORDS]


def key(item: int) -> bytes:
    """The Redis key of the record."""
    return KEYS[item % RECORDS]


KEYS: Final = [b"record:%d" % n for n in range(RECORDS)]
VALUES: Final = [(b"%d:" % n).ljust(SIZE, b"x") for n in range(RECORDS)]


def fill_redis(url: str) -> None:
    """Stores every record, unless they are there already."""
    with RespClient(url) as connection:
        if connection.call("EXISTS", KEYS[-1]) == 1:
            return
        for first in range(0, RECORDS, 1000):
            chunk = range(first, first + 1000)
            connection.call("MSET", *(word for n in chunk for word in (KEYS[n], VALUES[n])))


def fill_sqlite(path: Path) -> None:
    """Makes the file with every record, unless it is there already."""
    if path.exists():
        return
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA journal_mode = wal")
        database.execute("CREATE TABLE records (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        database.executemany("INSERT INTO records VALUES (?, ?)", enumerate(VALUES))
