"""What both executors do alike: checking settings, ending with the interpreter."""

from __future__ import annotations

import atexit
import weakref
from typing import Any, Literal, Protocol

from headrace import _core
from headrace.errors import InvalidArgument

__all__ = ["OnFull", "at_exit", "check_limits"]

OnFull = Literal["wait", "reject", "drop_oldest"]


class _Stoppable(Protocol):
    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None: ...


_alive: weakref.WeakSet[Any] = weakref.WeakSet()


def at_exit(executor: _Stoppable) -> None:
    """Finish what it has accepted before the interpreter goes, as the standard library's executors do."""
    _alive.add(executor)


def _shut_down_all() -> None:
    for executor in list(_alive):
        executor.shutdown()


# The last registered runs first: futures are told until the executors have ended.
atexit.register(_core.exec.stop_delivery)
atexit.register(_shut_down_all)


def check_limits(name: str, on_full: str, known: tuple[str, ...], deadline: float | None, **at_least_one: int) -> None:
    """Raise InvalidArgument for what is outside its range."""
    if on_full not in known:
        raise InvalidArgument(f"{name}: on_full is one of {', '.join(known)}, not {on_full!r}")
    if deadline is not None and not deadline > 0:
        raise InvalidArgument(f"{name}: deadline must be a positive number of seconds, not {deadline!r}")
    for setting, value in at_least_one.items():
        if value < 1:
            raise InvalidArgument(f"{name}: {setting} must be at least 1, not {value!r}")
