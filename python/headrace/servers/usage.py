"""What a process has used, from /proc; see proc(5)."""

from __future__ import annotations

import os
from typing import NamedTuple


class Usage(NamedTuple):
    """CPU and memory of one process or several."""

    cpu_seconds: float  #: user and system time
    memory_bytes: int  #: resident now


def process_usage(pid: int) -> Usage | None:
    """The usage of process ``pid`` so far, or None when there is none."""
    try:
        with open(f"/proc/{pid}/stat") as stat, open(f"/proc/{pid}/statm") as statm:
            # The name in parentheses may hold spaces; behind it, utime and stime are the fields 14 and 15.
            fields = stat.read().rpartition(")")[2].split()
            pages = int(statm.read().split()[1])
    except (OSError, IndexError):
        return None
    ticks = int(fields[11]) + int(fields[12])
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE"))
