"""A thread that runs an asyncio event loop: where servers run coroutines."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from headrace import _core
from headrace.errors import Closed, InvalidArgument

T = TypeVar("T")


def loop_factory(kind: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """How to make a loop of the kind ``"asyncio"``, ``"uvloop"``, or ``"auto"``: uvloop where it is installed."""
    if kind == "asyncio":
        return asyncio.new_event_loop
    if kind not in ("auto", "uvloop"):
        raise InvalidArgument(f"unknown event loop {kind!r}; there are auto, asyncio, uvloop")
    try:
        import uvloop
    except ImportError:
        if kind == "auto":
            return asyncio.new_event_loop
        raise InvalidArgument("uvloop is not installed; pip install uvloop, or choose loop='asyncio'") from None
    return uvloop.new_event_loop


class LoopThread:
    """Runs one event loop in a thread of its own until `stop`.

    Args:
        loop: ``"asyncio"``, ``"uvloop"``, or ``"auto"``.
        name: of the thread.

    ``inbox`` is the native way in: ``inbox.submit(coroutine_function, *args)`` from any thread gives a headrace.Future,
    and native code posts its jobs there. Their coroutines run in real Tasks.
    """

    def __init__(self, *, loop: str = "auto", name: str = "headrace-loop") -> None:
        self._factory = loop_factory(loop)
        self._ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._stopped: asyncio.Event | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.inbox: Any = None

    def start(self) -> None:
        """Returns when the loop runs. Raises what making it raised."""
        self._thread.start()
        self._ready.result()

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Runs a coroutine on the loop and waits for its result. Not from the loop's own thread."""
        if self.loop is None or not self._thread.is_alive():
            coroutine.close()
            raise Closed("the event loop does not run")
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout)

    def stop(self) -> None:
        """Cancels what still runs, closes the loop, and joins. May be called again."""
        if self.loop is not None and self._stopped is not None and self._thread.is_alive():
            self.loop.call_soon_threadsafe(self._stopped.set)
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=self._factory) as runner:
                runner.run(self._main())
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    async def _main(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        self.inbox = _core.http.LoopInbox()
        self._ready.set_result(None)
        await self._stopped.wait()
        self.inbox = None
