"""The future of both executors: native underneath, and a `concurrent.futures.Future` to everybody else."""

from __future__ import annotations

import concurrent.futures
from typing import Any, TypeVar

from headrace import _core

__all__ = ["Future"]

_T = TypeVar("_T")


class Future(_core.exec.Call[_T], concurrent.futures.Future[_T]):  # type: ignore[override]  # same names, on purpose
    """What an executor's `submit` returns; see `concurrent.futures.Future`.

    As long as only `result`, `exception`, `done` and `cancel` are used, no lock and no callback machinery exists, and
    the thread that waits turns the answer into objects itself. The first `add_done_callback`, `wait` or
    `as_completed` changes that.
    """

    def _deliver(self) -> None:
        """Called once, from a native thread, when it is done and somebody watches."""
        with self._condition:
            state = self._announce()  # from now on `_state` says that it is done
            for waiter in self._waiters:
                _tell(waiter, self, state)
            self._condition.notify_all()
        self._invoke_callbacks()  # type: ignore[attr-defined]  # of the standard library

    def __repr__(self) -> str:
        if not self.done():
            return f"<headrace.exec.Future {'running' if self.running() else 'pending'}>"
        if self.cancelled():
            return "<headrace.exec.Future cancelled>"
        error = self.exception()
        return f"<headrace.exec.Future {'done' if error is None else 'raised ' + type(error).__name__}>"


def _tell(waiter: Any, future: Future[Any], state: str) -> None:
    if state != "FINISHED":
        waiter.add_cancelled(future)
    elif future._exception is not None:
        waiter.add_exception(future)
    else:
        waiter.add_result(future)


_core.exec.use_future_class(Future)
