"""Python handlers behind the HTTP server, each on the executor that its route names."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from headrace import _core
from headrace.errors import Closed, InvalidArgument
from headrace.http.declared import Executor, Handler, Limits, OnFull, RouteSpec, choose_executor
from headrace.http.engine import Engine, Workers
from headrace.http.listening import url_of
from headrace.http.methods import AddRoute
from headrace.http.signals import StopSignal
from headrace.http.stats import RouteStats

__all__ = ["App"]

_H = TypeVar("_H", bound=Handler)
_alive: weakref.WeakSet[App] = weakref.WeakSet()


class App:
    """Routes and their executors.

    ===========  =====================================================================  =====================
    executor     a request runs                                                         concurrency by itself
    ===========  =====================================================================  =====================
    ``thread``   in one of ``thread_workers`` threads (what a plain function gets)       ``thread_workers``
    ``process``  in one of ``process_workers`` processes: cores, and crashes, apart      ``process_workers``
    ``asyncio``  as a task of the app's event loop (what an ``async def`` gets)          1000
    ``inline``   in the I/O thread: no hand-over, and nothing else moves meanwhile       one per I/O thread
    ``sync``     one at a time, for all sync routes of the app together                 1
    ``native``   as C++: ``native="hello"`` and the others of `Server`                   -
    ===========  =====================================================================  =====================

    A handler gets a `Request` and returns bytes, str, dict or list (JSON), None (204), `Response`, `Accepted`, or a
    generator of bytes or str, which is streamed (a process route sends it whole). What it raises is logged
    (``logging.getLogger("headrace.http")``, with the route) and answered 500; an `HTTPError` is answered as it says.

    Args:
        thread_workers: threads of ``thread`` routes.
        process_workers: worker processes of ``process`` routes; they start with the first server.
        process_settings: more of `headrace.exec.ProcessExecutor`: ``initializer``, ``max_memory``, ``kill_grace_s``...
        loop: of ``asyncio`` routes: ``"asyncio"``, ``"uvloop"``, or ``"auto"``, uvloop where it is installed.
        status_path: where accepted work is asked for, the id appended.

    Executors start when the first server does, and end with `close`, or with the program.
    """

    def __init__(
        self,
        *,
        thread_workers: int = 4,
        process_workers: int = 2,
        process_settings: Mapping[str, Any] | None = None,
        loop: str = "auto",
        status_path: str = "/accepted/",
    ) -> None:
        for name, value in (("thread_workers", thread_workers), ("process_workers", process_workers)):
            if value < 1:
                raise InvalidArgument(f"{name} must be at least 1, not {value!r}")
        if loop not in ("auto", "asyncio", "uvloop"):
            raise InvalidArgument(f"unknown event loop {loop!r}; there are auto, asyncio, uvloop")
        if not (status_path.startswith("/") and status_path.endswith("/")):
            raise InvalidArgument(f"status_path begins and ends with a slash, not {status_path!r}")
        self._workers = Workers(thread_workers, process_workers, dict(process_settings or {}), loop)
        self._status_path = status_path
        self._specs: dict[tuple[str, str], RouteSpec] = {}
        self._engine: Engine | None = None
        self._servers: list[_core.http.Server] = []
        self._closed = False
        self._lock = threading.Lock()
        _alive.add(self)

    def route(
        self,
        pattern: str,
        methods: Sequence[str] = ("GET",),
        *,
        executor: Executor | None = None,
        concurrency: int | None = None,
        max_queue_size: int | None = None,
        on_full: OnFull = "reject",
        deadline: float | None = None,
    ) -> Callable[[_H], _H]:
        """Decorate a handler.

        Args:
            pattern: segments between slashes: literal, ``{name}`` for one segment, or a last ``{name...}``.
            methods: HEAD is answered by GET's route.
            executor: see the class; None: ``thread``, and ``asyncio`` for ``async def``.
            concurrency: requests that run at once. None: see the class.
            max_queue_size: requests that wait beyond those, 1000 unless said. One more is answered 503, with a
                Retry-After from the queue and the mean time of a run (``on_full="reject"``), or takes the place of the
                one that has waited longest, which is answered so (``"drop_oldest"``).
            deadline: seconds from the request to its answer; then it is 504. A worker process is stopped and a task
                cancelled. A thread cannot be stopped: its call goes on, keeps its place, and sees
                ``request.cancelled``.

        Raises InvalidArgument for an unknown executor, a value outside its range, or a route that is taken.
        """

        def add(handler: _H) -> _H:
            if not callable(handler):
                raise TypeError(f"{pattern}: {handler!r} is not callable")
            for method in methods:
                name = f"{method} {pattern}"
                chosen = choose_executor(name, handler, executor)
                self._add(RouteSpec(method, pattern, chosen, handler, None, limits))
            return handler

        limits = Limits(concurrency, max_queue_size, on_full, deadline)
        return add

    @property
    def get(self) -> AddRoute:
        """`route` for GET; with ``native=`` a C++ handler, at once: ``app.get("/metrics", native="metrics")``."""
        return AddRoute(self, "GET")

    @property
    def post(self) -> AddRoute:
        """`route` for POST."""
        return AddRoute(self, "POST")

    @property
    def put(self) -> AddRoute:
        """`route` for PUT."""
        return AddRoute(self, "PUT")

    @property
    def patch(self) -> AddRoute:
        """`route` for PATCH."""
        return AddRoute(self, "PATCH")

    @property
    def delete(self) -> AddRoute:
        """`route` for DELETE."""
        return AddRoute(self, "DELETE")

    def native_route(self, method: str, pattern: str, native: str) -> None:
        """A C++ handler by its name: those of `Server`; ``metrics`` has the counters of routes too."""
        self._add(RouteSpec(method, pattern, "native", None, native, Limits()))

    @contextlib.contextmanager
    def running(
        self, host: str = "127.0.0.1", port: int = 0, threads: int = 1, *, grace_s: float = 10.0, **settings: Any
    ) -> Iterator[str]:
        """Serve in the block, and give the url. ``settings`` as of `Server`; stops as `serve` does."""
        server = self._start(host, port, threads, settings)
        try:
            yield url_of(host, server.port, settings)
        finally:
            self._stop(server, grace_s)

    def serve(
        self,
        host: str = "127.0.0.1",
        port: int = 8000,
        threads: int = 1,
        *,
        grace_s: float = 30.0,
        ready: Callable[[str], object] | None = None,
        **settings: Any,
    ) -> None:
        """Serve until SIGINT or SIGTERM, then drain: no request that was accepted is dropped within ``grace_s``
        seconds.

        A second signal raises KeyboardInterrupt. ``ready`` is called with the url. Raises ConnectionFailed when the
        port is taken, InvalidArgument outside the main thread.
        """
        with StopSignal() as stop:
            server = self._start(host, port, threads, settings)
            try:
                if ready is not None:
                    ready(url_of(host, server.port, settings))
                stop.wait()
            finally:
                self._stop(server, grace_s)
                self.close(grace_s)

    def stats(self) -> dict[str, RouteStats]:
        """Counters by route: ``{"GET /task/{id}": RouteStats(...)}``, so far. Native routes are not counted apart."""
        engine = self._engine
        if engine is None or engine.process != os.getpid():
            return {}
        found = {spec.name: engine.stats(spec) for spec in self._specs.values()}
        return {name: stats for name, stats in found.items() if stats is not None}

    def wait_detached(self, timeout: float) -> bool:
        """Until no request and no accepted work waits or runs; False after ``timeout`` seconds."""
        return self._engine is None or self._engine.wait_detached(timeout)

    def close(self, grace_s: float = 10.0) -> None:
        """Stop servers that run, refuse what waits, wait for what runs, and end the executors. May be called again."""
        self._closed = True
        for server in list(self._servers):
            self._stop(server, grace_s)
        if self._engine is not None:
            self._engine.close(grace_s)

    def _join(self) -> None:
        """Until the last handler of a thread has ended: it would meet an interpreter that has gone."""
        if self._engine is not None:
            self._engine.join()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self._servers)} servers" if self._servers else "not running"
        return f"<headrace.http.App {len(self._specs)} routes, {state}>"

    def _add(self, spec: RouteSpec) -> None:
        spec.limits.check(spec.name, spec.executor)
        before = self._specs.get((spec.method, spec.pattern))
        if before is not None and not before.same_place(spec):
            raise InvalidArgument(f"{spec.name}: this route is taken")
        self._specs[spec.method, spec.pattern] = spec

    def _start(self, host: str, port: int, threads: int, settings: dict[str, Any]) -> _core.http.Server:
        if self._closed:
            raise Closed("this app was closed; make a new one")
        with self._lock:
            if self._engine is None or self._engine.process != os.getpid():
                self._engine = Engine(self._workers, self._status_path)
                self._servers = []
        server = _core.http.Server(threads=threads, settings={"host": host, "port": port, **settings})
        specs = list(self._specs.values())
        for spec in specs:
            self._engine.add(server, spec, specs)
        self._engine.add_status(server)
        server.start()
        self._servers.append(server)
        return server

    def _stop(self, server: _core.http.Server, grace_s: float) -> None:
        if server not in self._servers:
            return
        self._servers.remove(server)
        server.stop(grace_s)


def _close_all() -> None:
    for app in list(_alive):
        app.close()
        app._join()


atexit.register(_close_all)
