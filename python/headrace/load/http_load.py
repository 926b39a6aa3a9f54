"""`http`: one load of an HTTP/1.1 server, from its settings to its result."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from headrace import _core
from headrace._csv import CsvTarget, csv_descriptor
from headrace._interrupt import Interrupt
from headrace.errors import InvalidArgument
from headrace.load.live import Live, Progress
from headrace.load.requests import Request, with_scheme
from headrace.load.result import LoadResult, ThreadUse
from headrace.load.thresholds import Threshold
from headrace.measure import Histogram

_SLICE_S = 0.1
_USERS = 25
_OPEN_LOOP_CONNECTIONS = 1000


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM during a load; ``result`` has what was measured until then."""

    def __init__(self, result: LoadResult) -> None:
        super().__init__("interrupted")
        self.result = result


def http(
    *urls: str | Request,
    users: int | None = None,
    rate: float | None = None,
    arrivals: Literal["constant", "poisson"] = "constant",
    connections: int | None = None,
    duration_s: float | None = None,
    count: int | None = None,
    warm_up_s: float = 0.0,
    ramp_s: float = 0.0,
    think_s: float | tuple[float, float] = 0.0,
    timeout: float = 30.0,
    drain_s: float = 10.0,
    method: str = "GET",
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    body: str | bytes = b"",
    keep_alive: bool = True,
    random_order: bool = False,
    expect_status: int | str | Sequence[int] | None = None,
    expect_body: str | bytes = b"",
    verify: bool = True,
    ca_file: str | os.PathLike[str] = "",
    cert_file: str | os.PathLike[str] = "",
    key_file: str | os.PathLike[str] = "",
    threads: int = 1,
    seed: int = 0,
    fail_if: Iterable[str] = (),
    csv: CsvTarget = None,
    live: bool | None = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> LoadResult:
    """Put an HTTP/1.1 server under load and say what it did.

    Closed loop (the default): ``users`` who send their next request when the last one was answered, after a pause of
    ``think_s``. Open loop (``rate=``): requests leave on a schedule whether or not earlier ones were answered, and the
    response time runs from the scheduled time, so a server that stalls cannot hide it.

    Args:
        urls: ``http://`` or ``https://``, or `Request`s with a method and a body of their own. Each user goes through
            them in order, beginning at its own place; in an open loop they take turns.
        users: of the closed loop, 25 unless said; each has one connection to each server among ``urls``.
        rate: requests per second of all threads together.
        arrivals: "constant" or "poisson" gaps.
        connections: open loop: open at once, 1000 unless said. A request that finds none free waits, and its time runs.
        duration_s: seconds to measure; 10 when neither it nor ``count`` is given, for ever when it is 0.
        count: requests to send in all.
        warm_up_s: seconds of load before the measured time.
        ramp_s: seconds over which users or rate grow linearly from none; a ``warm_up_s`` as long leaves it out.
        think_s: closed loop: seconds of pause, or (least, most) for a uniform one.
        timeout: seconds for one request, connecting included.
        drain_s: seconds to wait at the end for what is in flight.
        method, headers, body: of each request that does not say otherwise.
        keep_alive: False makes a new connection for every request, as siege does.
        random_order: of ``urls``.
        expect_status: what counts as success: 200, [200, 404], "200,300-399" or "2xx". Default: below 400.
        expect_body: text that a good answer contains in its first MiB.
        verify, ca_file, cert_file, key_file: TLS: check the server's certificate and name; PEM files.
        threads: of the generator. One is enough for what a server does on several cores.
        seed: of arrivals, pauses and order.
        fail_if: rules such as "p99>200ms", "failed>0.1%", "rate<500"; a broken one makes the verdict ``failed``.
        csv: where a row per request goes: ``intended,sent,ended,status,bytes,outcome,url``, times in epoch seconds.
        live: a line on a terminal that is kept up to date; None: when standard error is a terminal.
        on_progress: called about ten times a second with a `Progress`.

    Addresses of one name are shared out over the connections; one that does not answer is left for the next.

    Raises InvalidArgument for a setting outside its range or more users than file descriptors, ConnectionFailed when a
    name does not resolve or nothing has ever been answered, IoError when the CSV cannot be written, and `Interrupted`
    with the result so far on Ctrl-C. Failed requests are counted in the result, not raised.
    """
    requests = [_request(u, method, body) for u in urls]
    rules = tuple(Threshold.parse(text) for text in fail_if)
    think = think_s if isinstance(think_s, tuple) else (think_s, think_s)
    if duration_s is None:
        duration_s = 0.0 if count else 10.0
    if count is not None and count < 1:
        raise InvalidArgument("load: count must be at least 1")
    if rate is not None and not rate > 0:
        raise InvalidArgument("load: rate must be above 0 per second")
    if rate is not None and users is not None:
        raise InvalidArgument("load: users belong to a closed loop; with a rate say how many connections")
    if rate is None and connections is not None:
        raise InvalidArgument("load: connections belong to a rate; without one say how many users")
    most = (users, _USERS) if rate is None else (connections, max(_OPEN_LOOP_CONNECTIONS, threads))
    options: dict[str, Any] = {
        "requests": requests,
        "headers": [(str(k), str(v)) for k, v in (headers.items() if isinstance(headers, Mapping) else headers)],
        "threads": threads,
        "users": most[1] if most[0] is None else most[0],
        "rate": rate or 0.0,
        "arrivals": arrivals,
        "seed": seed,
        "duration": _seconds("duration_s", duration_s),
        "count": count or 0,
        "warm_up": _seconds("warm_up_s", warm_up_s),
        "ramp": _seconds("ramp_s", ramp_s),
        "think_least": _seconds("think_s", think[0]),
        "think_most": _seconds("think_s", think[1]),
        "timeout": _seconds("timeout", timeout),
        "drain": _seconds("drain_s", drain_s),
        "keep_alive": keep_alive,
        "random_order": random_order,
        "expect_status": statuses(expect_status),
        "expect_body": expect_body.encode() if isinstance(expect_body, str) else expect_body,
        "verify": verify,
        "ca_file": os.fspath(ca_file),
        "cert_file": os.fspath(cert_file),
        "key_file": os.fspath(key_file),
    }
    with csv_descriptor(csv) as descriptor:
        found = _run({**options, "csv_fd": descriptor}, Live.wanted(live), on_progress)
    result = _result(found, options, rules, os.fspath(csv) if isinstance(csv, str | os.PathLike) else None)
    if result.interrupted:
        raise Interrupted(result)
    return result


def _request(given: str | Request, method: str, body: str | bytes) -> tuple[str, str, bytes]:
    own = given if isinstance(given, Request) else Request(given)
    default = body.encode() if isinstance(body, str) else body
    return with_scheme(own.url), (own.method or method).upper(), own.body or default


def _seconds(name: str, value: float) -> float:
    if not value >= 0 or math.isinf(value):
        raise InvalidArgument(f"load: {name} must be seconds, 0 or more")
    return float(value)


def statuses(wanted: int | str | Sequence[int] | None) -> list[tuple[int, int]]:
    """Ranges of statuses from 200, [200, 404], ``200,300-399`` or ``2xx``. Raises InvalidArgument."""
    if wanted is None:
        return []
    if isinstance(wanted, str):
        return [_status_range(part.strip()) for part in wanted.split(",")]
    return [(status, status) for status in ([wanted] if isinstance(wanted, int) else wanted)]


def _status_range(text: str) -> tuple[int, int]:
    if len(text) == 3 and text[0].isdigit() and text[1:].lower() == "xx":
        return int(text[0]) * 100, int(text[0]) * 100 + 99
    first, dash, last = text.partition("-")
    if not first.isdigit() or (dash and not last.isdigit()):
        raise InvalidArgument(f"cannot read the status {text!r}; write for example 200, 200-299 or 2xx")
    return int(first), int(last) if dash else int(first)


def _run(options: dict[str, Any], live: Live | None, on_progress: Callable[[Progress], None] | None) -> dict[str, Any]:
    """Runs one load to its end, or to the first Ctrl-C; the second one raises at once."""
    program = _core.load.Http(options)
    try:
        with Interrupt() as interrupt:
            program.open()
            began = _core.monotonic_ns()
            program.start(0)
            watchers = [watch for watch in (live.show if live else None, on_progress) if watch]
            before = Progress.first(options)
            while not program.wait(_SLICE_S):
                if interrupt.requested:
                    program.stop()
                elif watchers:
                    before = before.after((_core.monotonic_ns() - began) / 1e9, *program.progress())
                    for watch in watchers:
                        watch(before)
    finally:
        if live:
            live.close()
        program.stop()
        program.close()
    return program.result()


def _result(
    found: dict[str, Any], options: dict[str, Any], rules: tuple[Threshold, ...], csv: str | None
) -> LoadResult:
    threads = tuple(
        ThreadUse(cpu / 1e9, queued / 1e9 if queued >= 0 else math.nan, ran / 1e9)
        for cpu, queued, ran in found["threads"]
    )
    histograms = {name: Histogram.from_bytes(found[name]) for name in ("response", "service", "connect", "lateness")}
    shown = {k: v for k, v in options.items() if k not in ("requests", "headers", "expect_body")}
    return LoadResult(
        urls=tuple(dict.fromkeys(url for url, _, _ in options["requests"])),
        counts=found["counts"],
        outcomes=found["outcomes"],
        samples=found["samples"],
        **histograms,
        seconds=tuple(found["seconds"]),
        threads=threads,
        addresses=tuple(found["addresses"]),
        elapsed_s=max(found["end_ns"] - found["begin_ns"], 0) / 1e9,
        interrupted=found["interrupted"],
        users=options["users"],
        rate_asked=options["rate"],
        count=options["count"] or None,
        think_s=(options["think_least"], options["think_most"]),
        ramp_s=options["ramp"],
        warm_up_s=options["warm_up"],
        rules=rules,
        csv=csv,
        settings=shown,
    )
