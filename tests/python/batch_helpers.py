"""What the tests of the batcher share: a downstream that can be stopped, and waiting for what another thread does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from headrace.batch import Batcher


class Downstream:
    """A batch function of the plain kind: doubles numbers, remembers its calls, and can be stopped and let go."""

    def __init__(self) -> None:
        self.calls: list[list[Any]] = []
        self.entered = threading.Semaphore(0)
        self._gate = threading.Event()
        self._gate.set()

    def stop(self) -> None:
        """From now on calls stay inside; `wait_entered` waits for one of these."""
        self._gate.clear()
        while self.entered.acquire(blocking=False):
            pass

    def go(self) -> None:
        self._gate.set()

    def wait_entered(self) -> None:
        assert self.entered.acquire(timeout=30), "the batch function was not called"

    def __call__(self, items: list[Any]) -> list[Any]:
        self.calls.append(items)
        self.entered.release()
        assert self._gate.wait(60), "the test did not let the downstream go"
        return [item * 2 for item in items]


def eventually(condition: Callable[[], bool], what: str = "it") -> None:
    """Returns when ``condition`` holds; fails the test when it does not within half a minute."""
    limit = time.monotonic() + 30
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < limit, f"{what} did not happen"
        pause.wait(0.001)


def occupied(batcher: Batcher[Any, Any], downstream: Downstream, item: Any = 0) -> Any:
    """Stops the downstream with one item inside, so that what is submitted next waits. Returns that item's future."""
    downstream.stop()
    future = batcher.submit(item)
    downstream.wait_entered()
    return future
