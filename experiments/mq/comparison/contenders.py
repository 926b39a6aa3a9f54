"""The command line of each contender, for the job of one group."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass

from comparison.build import PEERS, ROOT, Missing, compiled
from headrace.experiment.side_by_side.bars import OURS


@dataclass(frozen=True)
class Job:
    """What is asked of a contender."""

    host: str
    port: int
    topic: str
    group: str
    count: int  #: messages
    size: int  #: payload bytes
    window: int  #: producer: unacknowledged messages allowed
    read: int  #: consumer: messages per request
    latency: bool  #: the C producer reads the clock for each message; the others always do


@dataclass(frozen=True)
class Contender:
    """Who runs, how, and whether its standard output is the CSV per message (else a JSON summary)."""

    name: str
    produce: Callable[[Job], list[str]]
    consume: Callable[[Job], list[str]]
    csv: bool
    missing: Callable[[], str | None]  #: why it cannot run here


def _ours(program: str) -> Callable[[Job], list[str]]:
    def command(job: Job) -> list[str]:
        head = [sys.executable, str(ROOT / "experiments" / "mq" / f"{program}.py")]
        head += ["--url", f"redis://{job.host}:{job.port}", "--topic", job.topic, "--threads", "1"]
        head += ["--count", str(job.count)]
        if program == "producer":
            return [*head, "--size", str(job.size), "--batch", "0", "--window", str(job.window)]
        return [*head, "--batch", str(job.read), "--group", job.group]

    return command


def _peer(start: Callable[[str], list[str]], program: str) -> Callable[[Job], list[str]]:
    def command(job: Job) -> list[str]:
        head = [*start(program), "--host", job.host, "--port", str(job.port), "--topic", job.topic]
        head += ["--count", str(job.count)]
        if program == "producer":
            return [*head, "--size", str(job.size), "--window", str(job.window)]
        return [*head, "--group", job.group, "--read", str(job.read)]

    return command


def _hiredis(program: str) -> list[str]:
    return [str(compiled(f"hiredis_{program}"))]


def _redispy(program: str) -> list[str]:
    return [sys.executable, str(PEERS / f"redispy_{program}.py")]


def _with_latency(command: Callable[[Job], list[str]]) -> Callable[[Job], list[str]]:
    return lambda job: command(job) + (["--latency"] if job.latency else [])


def _ours_missing() -> str | None:
    program = ROOT / "experiments" / "mq" / "producer.py"
    if not program.exists() or importlib.util.find_spec("headrace") is None:
        return "headrace is not installed here; install it with: pip install ."
    return None


def _hiredis_missing() -> str | None:
    try:
        compiled("hiredis_producer")
        compiled("hiredis_consumer")
    except Missing as reason:
        return str(reason)
    return None


def _redispy_missing() -> str | None:
    for module in ("redis", "hiredis"):
        if importlib.util.find_spec(module) is None:
            return "redis-py and its C parser are missing; install them with: pip install 'redis[hiredis]'"
    return None


def commands(who: Contender, kind: str, job: Job) -> list[str]:
    """What `who` runs for a group of this kind, as lines for a shell in the checkout."""
    programs = {"producer": [who.produce], "consumer": [who.consume], "pair": [who.consume, who.produce]}
    redirect = " > file.csv" if who.csv else ""
    lines = [shlex.join(program(job)) + redirect for program in programs.get(kind, [])]
    return [line.replace(sys.executable, "python").replace(f"{ROOT}/", "") for line in lines]


CONTENDERS = (
    Contender(OURS, _ours("producer"), _ours("consumer"), True, _ours_missing),
    Contender(
        "hiredis",
        _with_latency(_peer(_hiredis, "producer")),
        _peer(_hiredis, "consumer"),
        False,
        _hiredis_missing,
    ),
    Contender("redis-py", _peer(_redispy, "producer"), _peer(_redispy, "consumer"), True, _redispy_missing),
)
