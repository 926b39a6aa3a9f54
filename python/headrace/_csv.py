"""Where native code writes its CSV."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from headrace.errors import IoError

CsvTarget = str | os.PathLike[str] | int | IO[Any] | None
"""A path, a descriptor, an open file, or None for nowhere."""


@contextmanager
def csv_descriptor(csv: CsvTarget) -> Iterator[int]:
    """The descriptor to write rows to; a file that was opened here is closed here."""
    if csv is None:
        yield -1
    elif isinstance(csv, int):
        yield csv
    elif isinstance(csv, (str, os.PathLike)):
        path = Path(csv)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        except OSError as error:
            raise IoError(f"cannot write {path}: {error.strerror}. Choose a file in a writable folder") from error
        try:
            yield descriptor
        finally:
            os.close(descriptor)
    else:
        csv.flush()
        yield csv.fileno()
