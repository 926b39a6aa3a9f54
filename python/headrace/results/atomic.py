"""Files that are either whole or absent: written under a temporary name, flushed to disk, then renamed."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from headrace.errors import IoError


def io_error(what: str, path: Path, error: OSError) -> IoError:
    """One line that says what failed, where, and what is left."""
    why = error.strerror or str(error)
    return IoError(f"cannot {what} {path}: {why}; what was written before stays readable")


def temporary_name(path: Path) -> Path:
    """Where ``path`` is written before it is put in place."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def put_in_place(temporary: Path, path: Path) -> None:
    """Flushes ``temporary`` to disk and renames it to ``path``. Raises IoError."""
    try:
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    except OSError as error:
        raise io_error("write", path, error) from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path that becomes ``path`` when the block ends well and is removed when it does not.

    Raises IoError when the disk is full or the folder cannot be written.
    """
    temporary = temporary_name(path)
    try:
        yield temporary
        put_in_place(temporary, path)
    except OSError as error:
        if isinstance(error, IoError):
            raise
        raise io_error("write", path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replaces ``path`` by ``text`` (UTF-8). Raises IoError."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, data: Any) -> None:
    """Replaces ``path`` by ``data`` as JSON; NaN and infinity become null, other odd values their text."""
    write_text(path, json.dumps(jsonable(data), indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def jsonable(value: Any) -> Any:
    """``value`` with only what JSON has: numpy scalars become numbers, NaN null, paths and the rest text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(v) for v in value]
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "ndim", 0) == 0:
        return jsonable(item())
    return str(value)
