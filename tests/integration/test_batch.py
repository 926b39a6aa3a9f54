"""Native batch functions against a real Redis and real SQLite files."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

import headrace
from headrace.batch import Batcher, redis_get, redis_hget, sqlite
from headrace.errors import Closed, InvalidArgument, MaybeExecuted, NotFound, ServerError
from headrace.redis import Client
from headrace.servers import RedisServer


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[Client]:
    with Client(redis_server.url) as made:
        yield made


@pytest.mark.broker
def test_concurrent_gets_are_one_mget(client: Client) -> None:
    for i in range(100):
        client.execute("SET", f"key:{i}", f"value {i}")
    client.execute("CONFIG", "RESETSTAT")

    async def main() -> None:
        async with Batcher(redis_get(client), max_batch_size=1000) as get:
            got = await asyncio.gather(*(get(f"key:{i}") for i in range(101)))
            assert got == [b"value %d" % i for i in range(100)] + [None]

    asyncio.run(main())
    stats = client.execute("INFO", "commandstats")
    assert b"cmdstat_mget:calls=1," in stats
    assert b"cmdstat_get:" not in stats


@pytest.mark.broker
def test_gets_from_threads_and_every_kind_of_key(client: Client) -> None:
    client.execute("SET", b"\x00\xff", b"\r\n")
    client.execute("SET", 7, "seven")
    with Batcher(redis_get(client), dedupe=True) as get:
        assert get.map([b"\x00\xff", 7, "7", b"7", "absent"]).result() == [b"\r\n", b"seven", b"seven", b"seven", None]
        with pytest.raises(TypeError, match="bytes, str, int or float"):
            get.submit(None)  # type: ignore[arg-type]


@pytest.mark.broker
def test_hgets_are_one_pipeline_and_tell_errors_apart(client: Client) -> None:
    client.execute("HSET", "user:7", "name", "ada", "age", 36)
    client.execute("SET", "text", "not a hash")

    async def main() -> None:
        async with Batcher(redis_hget(client)) as hget:
            pairs = [("user:7", "name"), ("user:7", "age"), ("user:7", "absent"), ("text", "name")]
            before = client.stats()["writes"]
            name, age, absent, wrong = await asyncio.gather(*map(hget, pairs), return_exceptions=True)
            assert client.stats()["writes"] - before == 1
            assert (name, age, absent) == (b"ada", b"36", None)
            assert isinstance(wrong, ServerError)
            assert "WRONGTYPE" in str(wrong)
            with pytest.raises(TypeError, match=r"\(key, field\)"):
                hget("user:7")  # type: ignore[arg-type]

    asyncio.run(main())


@pytest.mark.broker
def test_a_stopped_redis_fails_the_batch_and_not_the_batcher(client: Client, redis_server: RedisServer) -> None:
    client.execute("SET", "k", "v")
    assert redis_server.pid is not None
    with Batcher(redis_get(client, timeout=0.2)) as get:
        os.kill(redis_server.pid, signal.SIGSTOP)
        try:
            with pytest.raises(MaybeExecuted):
                get.submit("k").result(30)
        finally:
            os.kill(redis_server.pid, signal.SIGCONT)
    with Batcher(redis_get(client)) as get:
        assert get.submit("k").result(30) == b"v"


@pytest.mark.broker
def test_a_closed_client_closes_its_batches(redis_server: RedisServer) -> None:
    client = Client(redis_server.url)
    with Batcher(redis_get(client)) as get:
        client.close()
        with pytest.raises(Closed):
            get.submit("k").result(30)


def test_what_is_no_client_is_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"headrace\.redis\.Client"):
        redis_get("redis://localhost")


BY_ID = "SELECT id, name FROM users WHERE id IN (?)"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "app.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, photo BLOB, score REAL)")
        db.executemany(
            "INSERT INTO users VALUES (?, ?, ?, ?)", [(i, f"user {i}", bytes([i % 256]), i / 2) for i in range(1000)]
        )
    db.close()
    return path


def test_concurrent_lookups_are_one_query(database: Path) -> None:
    async def main() -> None:
        async with Batcher(sqlite(database, BY_ID), max_batch_size=2000) as user:
            got = await asyncio.gather(*(user(i) for i in range(1001)))
            assert got == [(i, f"user {i}") for i in range(1000)] + [None]
            assert user.stats().batches == 1

    asyncio.run(main())


def test_lookups_from_threads_with_every_type(database: Path) -> None:
    query = "SELECT name, photo, score, NULL, id FROM users WHERE name IN (?)"
    with Batcher(sqlite(database, query, rows="all"), max_concurrent_batches=4) as users:
        assert users.map(["user 3", "nobody"]).result() == [[("user 3", b"\x03", 1.5, None, 3)], []]
        wrong = users.submit(3)
        with pytest.raises(InvalidArgument, match=r"users\.name holds text"):
            wrong.result()
        with pytest.raises(TypeError, match="int, float, str or bytes"):
            users.submit(None)  # type: ignore[arg-type]
        with pytest.raises(OverflowError):
            users.submit(2**64)
        with pytest.raises(UnicodeEncodeError):
            users.submit("\ud800")


def test_mistakes_of_a_lookup_show_where_it_is_made(database: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"absent\.db"):
        sqlite(tmp_path / "absent.db", BY_ID)
    with pytest.raises(InvalidArgument, match="no such column"):
        sqlite(database, "SELECT id, age FROM users WHERE id IN (?)")
    with pytest.raises(InvalidArgument, match=r"IN \(\?\)"):
        sqlite(database, "SELECT id FROM users WHERE id = ?")
    with pytest.raises(InvalidArgument, match="'one' or 'all'"):
        sqlite(database, BY_ID, rows="two")  # type: ignore[call-overload]


def test_a_build_without_sqlite_says_what_to_install(monkeypatch: pytest.MonkeyPatch, database: Path) -> None:
    from headrace import features

    absent = features.Feature("sqlite", False, "sqlite3>=3.35", "libsqlite3-dev", "HEADRACE_WITH_SQLITE")
    monkeypatch.setitem(features._FEATURES, "sqlite", absent)
    with pytest.raises(headrace.errors.FeatureNotBuilt, match="apt install libsqlite3-dev"):
        sqlite(database, BY_ID)
