"""Batch functions that run without Python: n concurrent calls become one request, and no Python runs per item."""

from __future__ import annotations

import os
from typing import Any, Literal, overload

from headrace import _core, features
from headrace.errors import InvalidArgument

RedisKey = bytes | str | float
SqliteKey = int | float | str | bytes
Row = tuple[int | float | str | bytes | None, ...]


def redis_get(client: Any, *, timeout: float | None = None) -> _core.batch.Function[RedisKey, bytes | None]:
    """``GET``: n concurrent calls become one ``MGET``.

    >>> get = headrace.batch(headrace.batch.redis_get(client), max_batch_size=500)
    >>> await get("greeting")
    b'hello'

    Args:
        client: a `headrace.redis.Client` or `headrace.redis.aio.Client`; it must stay open.
        timeout: seconds for one request; the client's own when None.

    A result is bytes, or None for a key that is absent or no string (MGET does not tell them apart). Errors of the
    client fail the items of the batch that met them: ServerError, MaybeExecuted, ConnectionFailed, Closed, ...
    """
    return _core.batch.redis_get(_native_client(client), _limit(client, timeout))


def redis_hget(
    client: Any, *, timeout: float | None = None
) -> _core.batch.Function[tuple[RedisKey, RedisKey], bytes | None]:
    """``HGET`` of (key, field): n concurrent calls become one pipeline, in one write.

    >>> hget = headrace.batch(headrace.batch.redis_hget(client))
    >>> await hget(("user:7", "name"))
    b'ada'

    Arguments and errors as `redis_get`; an error reply (WRONGTYPE) is its item's own.
    """
    return _core.batch.redis_hget(_native_client(client), _limit(client, timeout))


@overload
def sqlite(
    path: str | os.PathLike[str], query: str, *, rows: Literal["one"] = "one", busy_timeout: float = 5.0
) -> _core.batch.Function[SqliteKey, Row | None]: ...
@overload
def sqlite(
    path: str | os.PathLike[str], query: str, *, rows: Literal["all"], busy_timeout: float = 5.0
) -> _core.batch.Function[SqliteKey, list[Row]]: ...
def sqlite(
    path: str | os.PathLike[str], query: str, *, rows: Literal["one", "all"] = "one", busy_timeout: float = 5.0
) -> Any:
    """A lookup by key in a SQLite file: n concurrent calls become one query.

    >>> user = headrace.batch(headrace.batch.sqlite("app.db", "SELECT id, name FROM users WHERE id IN (?)"))
    >>> await user(7)
    (7, 'ada')

    The query is one SELECT with exactly one parameter, written ``IN (?)``; its first result column is the key that it
    compares. It has no LIMIT (that would count the rows of all keys together), and an aggregate needs GROUP BY the key.
    Keys are int, float, str or bytes, of the kind that the column holds.

    Args:
        path: the database file, opened read-only once per concurrent batch.
        query: in the form above; it is checked against the file now.
        rows: "one": the first row of the key, or None. "all": a list of rows.
        busy_timeout: seconds to wait for a writer's lock.

    Raises FeatureNotBuilt, NotFound (no such file), InvalidArgument (the query), IoError.
    """
    features.require("sqlite")
    if rows not in ("one", "all"):
        raise InvalidArgument(f"rows must be 'one' or 'all', not {rows!r}")
    return _core.batch.sqlite(os.fspath(path), query, rows == "all", busy_timeout)


def identity() -> _core.batch.Function[Any, Any]:
    """Returns each item as it is, at once and without Python: what batching itself costs, for benchmarks."""
    return _core.batch.identity()


def _native_client(client: Any) -> Any:
    found = getattr(client, "_native", None)
    if found is None:
        raise InvalidArgument(f"needs a headrace.redis.Client or headrace.redis.aio.Client, not {client!r}")
    return found


def _limit(client: Any, timeout: float | None) -> float:
    return float(timeout if timeout is not None else client._timeout)
