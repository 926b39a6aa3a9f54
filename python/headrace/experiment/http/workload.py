"""One case of the http part: a server, the load on it, and what both of them cost.

Runs in the generator's process (``headrace.experiment.batching.worker`` drives it); the server has one of its own.
"""

from __future__ import annotations

import contextlib
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from headrace import http, load
from headrace.experiment.batching.control import Control
from headrace.experiment.http import tasks
from headrace.experiment.http.server import ServerProcess, Tree
from headrace.load.live import Progress
from headrace.servers.certificate import self_signed

_MB = 1e6


class HttpWorkload:
    """Puts the server of a case under load; see ``batching.control.Workload``."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._case = settings
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=self._case["folder"])))
            stack.enter_context(_services(self._folder, self._case["task"]))
            self._server = stack.enter_context(ServerProcess(self._case, self._folder))
            self._tree = Tree(self._server.pid)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def run(self, control: Control) -> None:
        """Loads, then reads what the tasks counted: at once, because a reply that came says its task has finished."""
        task = self._case["task"]
        gauges = _Gauges(self._tree)
        control.gauges = gauges
        native = self._case["executor"] == "native"  # a route without Python: it sleeps, and counts nothing
        path, reply = (f"/later/{tasks.SLEEPS_S[task] * 1000:.0f}", "later") if native else ("/", tasks.REPLY.strip())
        url = f"http://127.0.0.1:{self._server.port}{path}"
        primed = _primed(url, self._case)
        cost = tasks.cost_s(task)
        before = _own_cpu_s(), self._tree.cpu_s(), time.monotonic()
        result = load.http(
            url,
            users=self._case["users"],
            duration_s=self._case["seconds"],
            warm_up_s=self._case["warm_up_s"],
            timeout=self._case["request_timeout_s"],
            drain_s=self._case["drain_s"],
            keep_alive=self._case["keep_alive"],
            expect_status=200,
            expect_body=reply,
            on_progress=lambda progress: _tell(control, progress),
        )
        finished = None if native else tasks.finished(self._folder)
        replied = primed + _replied(result)
        generator, server, began = before
        took = time.monotonic() - began
        control.recording.figures = {
            **{name: self._case[name] for name in ("server", "executor", "task", "users", "workers")},
            **_figures(result),
            "replied": replied,
            "finished": finished,
            "unfinished": 0 if finished is None else max(0, replied - finished),
            **_limits(self._case),
            "task_cpu_s": min(cost, tasks.cost_s(task)),
            "generator_cpu": (_own_cpu_s() - generator) / took,
            "server_cpu": (self._tree.cpu_s() - server) / took,
            "pss_mb": max(gauges.peak, self._tree.pss()) / _MB,
        }
        control.recording.histograms["response"] = result.response
        control.counts = {"started": result.requests, "done": result.transactions, "failed": result.failed}


class _Gauges:
    """What the series has of the server, asked twice a second."""

    def __init__(self, tree: Tree) -> None:
        self._tree, self.peak = tree, 0
        self._before = time.monotonic(), tree.cpu_s()

    def __call__(self) -> dict[str, Any]:
        now, cpu, pss = time.monotonic(), self._tree.cpu_s(), self._tree.pss()
        at, used = self._before
        self._before = now, cpu
        self.peak = max(self.peak, pss)
        return {"server_cpu": max(0.0, cpu - used) / max(now - at, 1e-9), "server_pss": pss}


def _tell(control: Control, progress: Progress) -> None:
    counts = progress.counts
    done = counts.get("ok", 0) + counts.get("warm_up", 0)
    failed = counts.get("failed", 0)
    control.counts = {"started": done + failed + counts.get("in_flight", 0), "done": done, "failed": failed}


def _primed(url: str, case: dict[str, Any]) -> int:
    """One request for each worker before anything is measured, so that all have started; the number of good replies."""
    users = case["workers"] if case["executor"] in ("thread", "process") else 1
    result = load.http(url, users=users, count=users, timeout=case["request_timeout_s"], keep_alive=False)
    return _replied(result)


def _limits(case: dict[str, Any]) -> dict[str, Any]:
    """What bounds the rate: how many tasks run at a time (0: one per user), how long one sleeps, who shares a lock."""
    task, executor = case["task"], case["executor"]
    if executor == "native" or (executor == "asyncio" and task in tasks.AWAITED):
        at_once = 0
    else:
        at_once = case["workers"] if executor in ("thread", "process") else 1
    return {
        "at_once": at_once,
        "task_sleep_s": tasks.SLEEPS_S.get(task, 0.0),
        "one_lock": tasks.HOLDS_GIL[task] is True and executor != "process",
        "cores": len(os.sched_getaffinity(0)),
    }


def _replied(result: load.LoadResult) -> int:
    """Every good reply, those of the warm-up and those that came after the end included."""
    warm_up = result.counts["warm_up"] - result.counts["warm_up_failed"]
    return result.counts["ok"] + result.counts["late_ok"] + warm_up


def _figures(result: load.LoadResult) -> dict[str, Any]:
    """siege's columns, and what it does not say."""
    h, judged = result.response, result.judgement
    megabytes = result.counts["bytes"] / _MB
    return {
        "transactions": result.transactions,
        "availability": result.availability,
        "duration_s": result.elapsed_s,
        "data_mb": megabytes,
        "response_s": h.mean / 1e9,
        "rate": result.rate,
        "throughput_mb": megabytes / result.elapsed_s if result.elapsed_s else 0.0,
        "concurrency": result.concurrency,
        "failed": result.failed,
        "longest_s": h.max / 1e9,
        "shortest_s": h.min / 1e9,
        "in_flight": result.in_flight_at_end,
        "never_answered": result.unfinished,
        "limits": list(judged.reasons) if judged.verdict == "generator-limited" else [],
        "errors": list(judged.reasons) if judged.verdict == "failed" else [],
        "samples": result.samples,
    }


@contextlib.contextmanager
def _services(folder: Path, task: str) -> Iterator[None]:
    """What the fetches fetch from: native servers, of which the task finds the addresses in the file URLS."""
    if task not in ("fetch", "tls-fetch"):
        yield
        return
    secure: dict[str, Any] = {}
    if task == "tls-fetch":
        cert, key = self_signed(folder, host="127.0.0.1")
        if cert != folder / "cert.pem":
            cert = cert.rename(folder / "cert.pem")
        secure = {"cert_file": str(cert), "key_file": str(key)}
    service = http.Server(**secure)
    service.route("GET", "/later/{ms}", native="later")
    with service.running(grace_s=0.0) as url:
        (folder / "URLS").write_text(f"{task} {url}/later/{tasks.FETCH_MS}\n")
        yield


def _own_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


WORKLOADS: Final = {"http": HttpWorkload}
