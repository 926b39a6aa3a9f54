"""What executors count."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ProcessStats", "ThreadStats"]


@dataclass(frozen=True)
class ProcessStats:
    """Of a ProcessExecutor, since it was made; the last three are of now."""

    submitted: int
    answered: int  # by workers, also with what was raised
    cancelled: int  # before they began
    timed_out: int
    lost: int  # their worker ended
    refused: int  # queue full, shut down, or no worker could be started
    returned: int  # sent to a worker ahead of time and taken back for another one
    workers_started: int
    workers_crashed: int
    workers_killed: int  # at a deadline, or for breaking the protocol
    workers_recycled: int
    waiting: int
    running: int
    workers: int


@dataclass(frozen=True)
class ThreadStats:
    """Of a ThreadExecutor, since it was made; the last three are of now."""

    submitted: int
    completed: int
    cancelled: int
    timed_out: int
    waiting: int
    running: int
    threads: int
