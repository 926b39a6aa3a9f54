"""Runs one contender once, on a private Redis, checks what it claims, and says what it cost.

Every run of a producer or a pair has a fresh server, so that no run pays for the memory or the disk writes of
the one before. Consumers drain the same stored stream, each run as a new group. Producers that take turns in
slices share a server, so that they also share the disk's mood of that minute; each slice has its own stream.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from comparison.contenders import CONTENDERS, Contender, Job
from comparison.figures import Figures, figures_from_csv, figures_from_summary
from comparison.settings import Group, Settings
from headrace.experiment.side_by_side.child import Child, Finished, RunFailed
from headrace.servers import RedisServer

TOPIC = "bench"
ID_LENGTH = 26
SERVER_CPU, CLIENT_CPU = 0, 1


@dataclass(frozen=True)
class Startup:
    """What a program costs with a single message."""

    wall_s: float
    cpu_s: float


NO_STARTUP = Startup(0.0, 0.0)


@dataclass(frozen=True)
class Sample:
    """One run. Rates are messages per second, CPU is microseconds per message."""

    rate: float  #: first send (consumer: first receipt) to last acknowledgement
    program_rate: float | None  #: whole process minus its start-up; None when that is all there was
    p50_us: float | None
    p99_us: float | None
    cpu_us: float  #: client, start-up taken off
    whole_cpu_us: float  #: client, start-up included
    server_cpu_us: float
    server_writes: float | None = None  #: write calls of the server per 1000 messages: its event loop turns, twice


class Bench:
    """Runs jobs with the given settings; files go to `scratch`."""

    def __init__(self, settings: Settings, scratch: Path, *, pin: bool) -> None:
        self._settings = settings
        self._scratch = scratch
        self._client_cpu = CLIENT_CPU if pin else None
        self._pin = pin

    @contextlib.contextmanager
    def server(self, group: Group) -> Iterator[RedisServer]:
        """A fresh private server; pinned by its main thread only, the one that answers clients."""
        with RedisServer(appendfsync=group.appendfsync, extra=self._settings.redis) as server:
            if self._pin:
                os.sched_setaffinity(server.pid, {SERVER_CPU})
            yield server

    def job(self, group: Group, server: RedisServer, count: int) -> Job:
        """What `group` asks, on this server."""
        size = self._settings.size
        return Job(server.host, server.port, TOPIC, "bench", count, size, group.window, group.read, group.latency)

    def startup(self, group: Group, who: Contender) -> Startup:
        """Wall and CPU seconds of the group's program with one message: medians of three; zero for pairs."""
        if group.kind in ("pair", "inproc"):
            return NO_STARTUP
        runs = []
        for _ in range(3):
            with self.server(group) as server:
                job = self.job(group, server, 1)
                if group.kind == "consumer":
                    self._add_entries(server, who, job)
                    runs.append(self._child(who.consume(job), "startup").wait())
                else:
                    runs.append(self._child(who.produce(job), "startup").wait())
        return Startup(statistics.median(r.wall_s for r in runs), statistics.median(r.cpu_s for r in runs))

    def produce(self, group: Group, who: Contender, startup: Startup) -> Sample:
        """Send `count` messages to an empty server."""
        with self.server(group) as server:
            return self.produce_on(group, who, startup, server)

    def produce_on(self, group: Group, who: Contender, startup: Startup, server: RedisServer) -> Sample:
        """Send `count` messages to a stream that does not exist; it is removed again."""
        cpu, writes = server.cpu_seconds(), _write_calls(server)
        end = self._child(who.produce(self.job(group, server, group.count)), "producer").wait()
        cpu, writes = server.cpu_seconds() - cpu, _write_calls(server) - writes
        _require_length(server, who, group.count)
        _require_entry(server, who, self._settings.size)
        figures = self._figures(who, end, group.count)
        server.call("DEL", TOPIC)
        _settle(server)
        return _sample(figures, end, cpu, startup, writes)

    def fill(self, group: Group, server: RedisServer) -> None:
        """Store the stream that consumers will drain, by the quickest producer there is."""
        able = [c for c in CONTENDERS if c.missing() is None]
        filler = min(able, key=lambda c: c.name != "hiredis")
        self._add_entries(server, filler, self.job(group, server, group.count))

    def consume(self, group: Group, who: Contender, startup: Startup, server: RedisServer) -> Sample:
        """Drain the stored stream as a new group."""
        job = self.job(group, server, group.count)
        server.call("XGROUP", "CREATE", TOPIC, job.group, "0", "MKSTREAM")
        _settle(server)
        cpu = server.cpu_seconds()
        end = self._child(who.consume(job), "consumer").wait()
        cpu = server.cpu_seconds() - cpu
        figures = self._figures(who, end, group.count)
        _require_drained(server, who, job)
        server.call("XGROUP", "DESTROY", TOPIC, job.group)
        return _sample(figures, end, cpu, startup)

    def pair(self, group: Group, who: Contender) -> Sample:
        """Producer and consumer at once; the rate is from the first send to the last XACK."""
        with self.server(group) as server:
            job = self.job(group, server, group.count)
            server.call("XGROUP", "CREATE", TOPIC, job.group, "0", "MKSTREAM")
            cpu = server.cpu_seconds()
            with self._child(who.consume(job), "consumer") as consumer:
                _await_blocked(server)
                with self._child(who.produce(job), "producer") as producer:
                    sent, received = producer.wait(), consumer.wait()
            cpu = server.cpu_seconds() - cpu
            _require_drained(server, who, job)
            first = self._figures(who, sent, group.count)
            last = self._figures(who, received, group.count)
        both = Finished(max(sent.wall_s, received.wall_s), sent.cpu_s + received.cpu_s, received.output)
        whole = Figures(group.count, first.begin, last.end, last.p50_us, last.p99_us)
        return _sample(whole, both, cpu, NO_STARTUP)

    def inproc(self, group: Group, here: Path) -> Sample:
        """Run the group's own command; the rate is from the first send to the last acknowledgement."""
        values = {
            "python": sys.executable,
            "here": str(here),
            "count": str(group.count),
            "size": str(self._settings.size),
            "out": str(self._scratch),
        }
        end = self._child([part.format(**values) for part in group.command], "inproc").wait()
        first = figures_from_csv(self._scratch / "producer.csv")
        last = figures_from_csv(self._scratch / "consumer.csv")
        for figures in (first, last):
            _require(figures.messages == group.count, f"{figures.messages} rows instead of {group.count}")
        whole = Figures(group.count, first.begin, last.end, last.p50_us, last.p99_us)
        return _sample(whole, end, 0.0, NO_STARTUP)

    def _add_entries(self, server: RedisServer, who: Contender, job: Job) -> None:
        self._child(who.produce(job), "fill").wait()
        _require_length(server, who, job.count)

    def _child(self, command: list[str], name: str) -> Child:
        return Child(command, self._scratch / f"{name}.out", cpu=self._client_cpu)

    def _figures(self, who: Contender, end: Finished, count: int) -> Figures:
        figures = figures_from_csv(end.output) if who.csv else figures_from_summary(end.output)
        _require(figures.messages == count, f"{who.name}: {figures.messages} messages instead of {count}")
        return figures


def _sample(figures: Figures, end: Finished, server_cpu_s: float, startup: Startup, writes: int = 0) -> Sample:
    n = figures.messages
    working = end.wall_s - startup.wall_s
    return Sample(
        rate=figures.rate,
        program_rate=n / working if working > 0.1 * end.wall_s else None,
        p50_us=figures.p50_us,
        p99_us=figures.p99_us,
        cpu_us=(end.cpu_s - startup.cpu_s) / n * 1e6,
        whole_cpu_us=end.cpu_s / n * 1e6,
        server_cpu_us=server_cpu_s / n * 1e6,
        server_writes=writes / n * 1e3 if writes > 0 else None,
    )


def _write_calls(server: RedisServer) -> int:
    """Write calls of the server so far; 0 where the kernel does not count them."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{server.pid}/io").read_text().splitlines():
            name, _, value = line.partition(": ")
            if name == "syscw":
                return int(value)
    return 0


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise RunFailed(otherwise)


def _require_length(server: RedisServer, who: Contender, count: int) -> None:
    length = server.call("XLEN", TOPIC)
    _require(length == count, f"{who.name}: the stream holds {length} entries instead of {count}")


def _require_entry(server: RedisServer, who: Contender, size: int) -> None:
    """The first entry must cost the same bytes on the wire whoever sent it."""
    fields = server.call("XRANGE", TOPIC, "-", "+", "COUNT", 1)[0][1]
    names, id_, payload = fields[::2], fields[1], fields[3]
    shape = f"{b','.join(names).decode()}, an id of {len(id_)} and a payload of {len(payload)} bytes"
    same = names == [b"id", b"m"] and len(id_) == ID_LENGTH and len(payload) == size and payload.startswith(id_)
    _require(same, f"{who.name}: an entry holds {shape}, the others' id,m, {ID_LENGTH} and {size} with the id in it")


def _require_drained(server: RedisServer, who: Contender, job: Job) -> None:
    fields = server.call("XINFO", "GROUPS", TOPIC)[0]
    group = dict(zip(fields[::2], fields[1::2], strict=True))
    pending, lag = group[b"pending"], group[b"lag"]
    _require((pending, lag) == (0, 0), f"{who.name}: of {job.count}, {pending} unacknowledged and {lag} unread")


def _settle(server: RedisServer) -> None:
    """Puts earlier writes of the append-only file on disk, so that they do not disturb the next run."""
    for path in (server.directory / "appendonlydir").glob("*.aof"):
        with open(path, "rb") as f:
            os.fsync(f.fileno())


def _await_blocked(server: RedisServer, timeout: float = 10.0) -> None:
    """Waits until a consumer waits for entries; after `timeout` seconds goes on without."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if b"blocked_clients:0\r" not in server.call("INFO", "clients"):
            return
        time.sleep(0.005)
