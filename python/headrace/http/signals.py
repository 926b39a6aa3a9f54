"""SIGINT and SIGTERM as the end of a wait."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any, Self

from headrace.errors import InvalidArgument

__all__ = ["StopSignal"]


class StopSignal:
    """In the block, the first SIGINT or SIGTERM ends `wait`, and a second one raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[int, Any] = {}
        self._told = -1

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            raise InvalidArgument(
                "serve() needs the main thread, where Python delivers signals; use running() elsewhere"
            )
        self._told = os.eventfd(0)
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._told)

    def wake(self) -> None:
        """End the wait from another thread, without a request to stop."""
        os.eventfd_write(self._told, 1)

    def wait(self) -> None:
        """Sleep until then."""
        os.read(self._told, 8)  # which goes on after a signal handler, unlike eventfd_read

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        self.wake()
