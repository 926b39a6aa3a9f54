"""The executors and native routes of an app in one process, made when a route needs them."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headrace import _core
from headrace.http.declared import Handler, RouteSpec
from headrace.http.stats import RouteStats

if TYPE_CHECKING:
    from headrace._loop import LoopThread
    from headrace.exec import ProcessExecutor

__all__ = ["Engine", "Workers"]

MAX_QUEUE_SIZE = 1000
ASYNCIO_CONCURRENCY = 1000


@dataclass(frozen=True)
class Workers:
    """How many of each, and how they are made."""

    threads: int
    processes: int
    process_settings: Mapping[str, Any] = field(default_factory=dict)
    loop: str = "auto"


class Engine:
    """Belongs to the process that made it: after fork() the child makes its own."""

    def __init__(self, workers: Workers, status_path: str) -> None:
        self.process = os.getpid()
        self._workers = workers
        self._status_path = status_path
        self._accepted = _core.http.AcceptedTable(status_path)
        self._threads: dict[str, _core.http.ThreadLauncher] = {}
        self._processes: ProcessExecutor | None = None
        self._loop: LoopThread | None = None
        self._routes: dict[RouteSpec, _core.http.Route] = {}
        self._inline: dict[RouteSpec, _core.http.InlineRoute] = {}

    def add(self, server: _core.http.Server, spec: RouteSpec, all_specs: list[RouteSpec]) -> None:
        """Give the server the route."""
        if spec.native == "metrics":
            waiting = [(s.name, self._route(s)) for s in all_specs if s.executor not in ("inline", "native")]
            direct = [(s.name, self._inline_route(s)) for s in all_specs if s.executor == "inline"]
            server.add_metrics(spec.pattern, waiting, direct)
        elif spec.native is not None:
            server.route(spec.method, spec.pattern, spec.native)
        elif spec.executor == "inline":
            server.add_inline(spec.method, spec.pattern, self._inline_route(spec))
        else:
            server.add(spec.method, spec.pattern, self._route(spec))

    def add_status(self, server: _core.http.Server) -> None:
        """Where accepted work is asked for."""
        server.add_status(self._status_path + "{id}", self._accepted)

    def stats(self, spec: RouteSpec) -> RouteStats | None:
        """None: native, or never started."""
        route = self._routes.get(spec) or self._inline.get(spec)
        return None if route is None else RouteStats(**route.stats())

    def close(self, grace_s: float) -> bool:
        """Finish what was accepted, then refuse what comes and end. False: some of it still runs after ``grace_s``."""
        if self.process != os.getpid():
            return True
        until = time.monotonic() + grace_s
        self.wait_detached(grace_s)
        for route in self._routes.values():
            route.close()
        idle = [route.wait_idle(max(until - time.monotonic(), 0.0)) for route in self._routes.values()]
        for launcher in self._threads.values():
            launcher.close()
        ended = [launcher.wait_closed(max(until - time.monotonic(), 0.0)) for launcher in self._threads.values()]
        if self._processes is not None:
            if all(idle):
                self._processes.shutdown()
            else:
                self._processes.kill_workers()
        if self._loop is not None:
            self._loop.stop()
        return all(idle) and all(ended)

    def join(self) -> None:
        """Until the threads have ended; after `close`."""
        if self.process == os.getpid():
            for launcher in self._threads.values():
                launcher.wait_closed(math.inf)

    def wait_detached(self, grace_s: float) -> bool:
        """Until nothing waits or runs; False after ``grace_s`` seconds."""
        until = time.monotonic() + grace_s
        return all(route.wait_idle(max(until - time.monotonic(), 0.0)) for route in self._routes.values())

    def _inline_route(self, spec: RouteSpec) -> _core.http.InlineRoute:
        if spec not in self._inline:
            assert spec.handler is not None
            self._inline[spec] = _core.http.InlineRoute(
                name=spec.name, handler=spec.handler, deadline_s=spec.limits.deadline or 0.0
            )
        return self._inline[spec]

    def _route(self, spec: RouteSpec) -> _core.http.Route:
        if spec not in self._routes:
            assert spec.handler is not None
            launcher, concurrency = self._launcher(spec)
            limits = spec.limits
            self._routes[spec] = _core.http.Route(
                name=spec.name,
                launcher=launcher,
                accepted=self._accepted,
                handler=_handler(spec),
                concurrency=limits.concurrency or concurrency,
                max_queue_size=MAX_QUEUE_SIZE if limits.max_queue_size is None else limits.max_queue_size,
                drop_oldest=limits.on_full == "drop_oldest",
                deadline_s=limits.deadline or 0.0,
            )
        return self._routes[spec]

    def _launcher(self, spec: RouteSpec) -> tuple[_core.http.Launcher, int]:
        """Where its jobs run, and how many of them at once unless the route says so."""
        if spec.executor == "sync":
            return self._thread_launcher("sync", 1), 1
        if spec.executor == "process":
            return self._process_launcher(spec), self._workers.processes
        if spec.executor == "asyncio":
            return self._loop_launcher(), ASYNCIO_CONCURRENCY
        return self._thread_launcher("thread", self._workers.threads), self._workers.threads

    def _thread_launcher(self, name: str, threads: int) -> _core.http.ThreadLauncher:
        if name not in self._threads:
            self._threads[name] = _core.http.ThreadLauncher(threads, f"http-{name}")
        return self._threads[name]

    def _process_launcher(self, spec: RouteSpec) -> _core.http.ProcessLauncher:
        from headrace.exec import ProcessExecutor
        from headrace.exec.wire import dumps
        from headrace.http.worker import RouteWork, pack_call

        assert spec.handler is not None
        call = pack_call(spec.name, spec.handler)
        if self._processes is None:
            settings = {"name": "http app", "prestart": self._workers.processes, **self._workers.process_settings}
            self._processes = ProcessExecutor(self._workers.processes, on_full="reject", **settings)
        return _core.http.ProcessLauncher(executor=self._processes, call=call, work=dumps(RouteWork()))

    def _loop_launcher(self) -> _core.http.LoopLauncher:
        from headrace._loop import LoopThread

        if self._loop is None:
            self._loop = LoopThread(loop=self._workers.loop, name="http-asyncio")
            self._loop.start()
        return _core.http.LoopLauncher(self._loop.inbox)


def _handler(spec: RouteSpec) -> Handler:
    assert spec.handler is not None
    if spec.executor != "asyncio":
        return spec.handler
    from headrace.http.coroutines import as_coroutine

    return as_coroutine(spec.handler)
