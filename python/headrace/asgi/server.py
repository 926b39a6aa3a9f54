"""One ASGI application, served by native I/O threads and one event loop."""

from __future__ import annotations

import logging
from typing import Any

from headrace import _core
from headrace._loop import LoopThread
from headrace.asgi.lifespan import Lifespan
from headrace.asgi.target import load
from headrace.asgi.types import Application
from headrace.errors import ClientDisconnected, InvalidArgument
from headrace.http.listening import Listening

logger = logging.getLogger("headrace.asgi")
LIFESPAN_MODES = ("auto", "on", "off")


class Server(Listening):
    """Serves one application until `stop`.

    Args:
        target: the application, or ``"module:attribute"``.
        factory: the target is called, and what it gives is the application.
        host, port: to bind; port 0 for a free one, see `port` after `start`.
        threads: native I/O threads. The application runs on one event loop whatever their number.
        loop: ``"auto"`` (uvloop where it is installed), ``"uvloop"``, ``"asyncio"``.
        lifespan: ``"auto"``, ``"on"`` (an application without one is an error), ``"off"``.
        root_path: where a proxy has mounted the application; its paths begin with it.
        limit_concurrency: requests at once, more are answered 503; 0: as many as connections.
        max_websocket_message: bytes of a message that is received; a larger one closes the connection with 1009.
        settings: as of `headrace.http.Server`. Content is streamed to the application: nothing bounds its size unless
            ``max_body`` is given (413).

    Raises InvalidArgument for a value outside its range or a target that is no application, TypeError for an unknown
    setting.
    """

    def __init__(
        self,
        target: str | Application,
        *,
        factory: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
        threads: int = 1,
        loop: str = "auto",
        lifespan: str = "auto",
        root_path: str = "",
        limit_concurrency: int = 0,
        max_websocket_message: int = 16 * 1024 * 1024,
        **settings: Any,
    ) -> None:
        if lifespan not in LIFESPAN_MODES:
            raise InvalidArgument(f"unknown lifespan {lifespan!r}; there are {', '.join(LIFESPAN_MODES)}")
        if "max_body" in settings:
            settings.setdefault("max_streamed_body", settings["max_body"])
        self._application = load(target, factory=factory)
        super().__init__(host=host, port=port, threads=threads, settings=settings)
        self._scheme = "https" if settings.get("cert_file") else "http"
        self._root_path = root_path.rstrip("/")
        self._limits = {"limit_concurrency": limit_concurrency, "max_websocket_message": max_websocket_message}
        self._thread = LoopThread(loop=loop, name="headrace-asgi")
        self._lifespan_mode = lifespan
        self._lifespan: Lifespan | None = None
        self._scopes: list[dict[str, Any]] = []

    def start(self) -> None:
        """Runs the application's startup, then listens; returns when it does.

        Raises LifespanFailed when the application does not start, ConnectionFailed when the port is taken.
        """
        self._thread.start()
        try:
            self._thread.run(self._start_application())
            self._native.start()
            for scope in self._scopes:  # before this nobody knows the port
                scope["server"] = (self._host, self._native.port)
        except BaseException:
            self._end_application()
            raise
        self._running = True

    def begin_stop(self, grace_s: float = 10.0) -> None:
        """The first half of `stop`, which does not wait."""
        self._native.begin_stop(grace_s)

    def stop(self, grace_s: float = 10.0) -> None:
        """Accepts no more, finishes what was asked within ``grace_s`` seconds, closes the rest, shuts the application
        down. May be called again. Raises LifespanFailed when the application's shutdown failed.
        """
        if not self._running:
            return
        self._running = False
        try:
            self._native.stop(grace_s)
        finally:
            self._end_application()

    async def _start_application(self) -> None:
        self._lifespan = Lifespan(self._application, self._lifespan_mode)
        await self._lifespan.startup()
        state = None if self._lifespan_mode == "off" else self._lifespan.state
        self._scopes = [
            self._scope("http", self._scheme),
            self._scope("websocket", "wss" if self._scheme == "https" else "ws"),
        ]
        self._native.route_asgi(
            _core.http.AsgiSite(
                self._thread.inbox,
                self._application,
                report,
                {
                    "http_scope": self._scopes[0],
                    "websocket_scope": self._scopes[1],
                    "state": state,
                    "root_path": self._root_path,
                    "disconnected": ClientDisconnected,
                    **self._limits,
                },
            )
        )

    def _scope(self, kind: str, scheme: str) -> dict[str, Any]:
        """What is the same in the scope of every connection; the native side adds the rest to a copy."""
        scope: dict[str, Any] = {
            "type": kind,
            "asgi": {"version": "3.0", "spec_version": "2.5"},
            "scheme": scheme,
            "root_path": self._root_path,
            "server": (self._host, self._native.port),
        }
        if kind == "websocket":
            scope["extensions"] = {"websocket.http.response": {}}
        return scope

    def _end_application(self) -> None:
        try:
            if self._lifespan is not None and self._thread.running:
                self._thread.run(self._lifespan.shutdown())
        finally:
            self._thread.stop()


def report(what: str, method: str, path: str, error: BaseException | None) -> None:
    """What an application did wrong, for the log."""
    trace = None if error is None else (type(error), error, error.__traceback__)
    logger.error("%s %s: the application %s", method, path, what, exc_info=trace)
