"""A worker process of a ProcessExecutor."""

from __future__ import annotations

import pickle
import signal
import sys
from collections.abc import Callable
from typing import Any

from headrace import _core
from headrace.exec.wire import pack_error

__all__ = ["main"]


class _Hooks:
    """What runs around the calls."""

    def __init__(self) -> None:
        self.teardown: Callable[[], object] | None = None

    def set_up(self, settings: dict[str, Any]) -> None:
        sys.path[:] = settings["path"]
        sys.argv[:] = settings["argv"]
        hooks = pickle.loads(settings["hooks"])
        self.teardown = hooks["teardown"]
        if hooks["initializer"] is not None:
            hooks["initializer"](*hooks["initargs"])


def main() -> None:
    """Serve the pool whose descriptors are the last two arguments until it says that it is enough."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    channel, claims = int(sys.argv[-2]), int(sys.argv[-1])
    hooks = _Hooks()
    try:
        _core.exec.serve(channel, claims, hooks.set_up, pack_error)
    finally:
        if hooks.teardown is not None:
            hooks.teardown()
