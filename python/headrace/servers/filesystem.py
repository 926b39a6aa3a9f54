"""Which file system a folder is on: on tmpfs an fsync costs nothing and keeps nothing."""

from __future__ import annotations

import os
from pathlib import Path


def filesystem_of(path: str | os.PathLike[str]) -> str:
    """The type, such as ``ext4`` or ``tmpfs``, from proc(5) mountinfo; ``unknown`` if it cannot be read."""
    real = Path(path).resolve()
    best, found = "", "unknown"
    try:
        mounts = Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return found
    for line in mounts:
        before, _, after = line.partition(" - ")
        point = before.split()[4].replace("\\040", " ")
        if real.is_relative_to(point) and len(point) >= len(best):
            best, found = point, after.split()[0]
    return found
