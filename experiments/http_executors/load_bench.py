"""The load generator beside wrk, siege and hey: requests per second, CPU per request, and whether a stall shows.

python experiments/http_executors/load_bench.py [--rounds 5] [--seconds 3] [--only GROUP] [--json FILE]

Groups:
  keep-alive   64 connections, per-request percentiles on: rate and CPU per request; ours must have >= 95 % of wrk's
               rate at <= 1.1 times its CPU
  close        a new connection for every request, 25 users: ours must have >= 3 times siege's rate
  stall        500 requests/s to a server that stalls 1 s in every 5: p90 and p99 within 5 % of 500 and 950 ms

The server (build/release/cpp/bench/http_floor) has core 0, each generator core 1 in its turn; the contenders of a round
follow each other, figures are medians, ratios medians over rounds. Needs two idle cores. Exit 0 when every bar is
reached, 1 when one is not, 2 when nothing could be measured. A rival that is not installed is left out and named; with
HEADRACE_REQUIRE_ALL=1 that is an error.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from headrace.servers.base import free_port

ROOT = Path(__file__).resolve().parents[2]
FLOOR = ROOT / "build/release/cpp/bench/http_floor"
STALLING = Path(__file__).parent / "peers/stalling_server.py"
SERVER_CORE, GENERATOR_CORE = 0, 1
ATTEMPTS = 3

# In a process of its own, so that what is measured is all that the process spends while it generates load: the threads
# of the generator and the Python thread that waits for them. Starting Python is not part of it, nor is it of wrk's.
OURS = """
import json, resource, sys
from headrace import load
options = json.loads(sys.argv[1])
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
before = cpu()
r = load.http(options.pop("url"), **options)
print(json.dumps({"requests": r.transactions + r.counts["late_ok"], "rate": r.rate, "cpu_s": cpu() - before,
                  "failed": r.failed, "p50": r.percentile(50), "p90": r.percentile(90), "p99": r.percentile(99),
                  "max": r.response.max / 1e6, "verdict": r.judgement.verdict, "reasons": r.judgement.reasons}))
"""


class CannotMeasure(Exception):
    """A contender or the server failed; the text says which."""


@dataclass(frozen=True)
class Sample:
    """One contender in one round. Times are ms; NaN for what it does not tell."""

    rate: float
    cpu_us: float
    p50: float = float("nan")
    p90: float = float("nan")
    p99: float = float("nan")
    longest: float = float("nan")


Contender = Callable[[int, float], Sample]


def pinned(argv: list[str]) -> list[str]:
    return ["taskset", "-c", str(GENERATOR_CORE), *argv]


def timed(argv: list[str], seconds: float) -> tuple[str, float]:
    """Output and CPU seconds of a program that runs for ``seconds``; one that does not end is tried again.

    siege sometimes never ends: its threads wait for each other.
    """
    for _ in range(ATTEMPTS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        try:
            done = subprocess.run(pinned(argv), capture_output=True, text=True, timeout=2 * seconds + 10, check=False)
        except subprocess.TimeoutExpired:
            print(f"{argv[0]} did not end and was killed", file=sys.stderr)
            continue
        break
    else:
        raise CannotMeasure(f"{argv[0]} did not end in {ATTEMPTS} attempts")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise CannotMeasure(f"{argv[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    if found is None:
        raise CannotMeasure(f"no {pattern!r} in:\n{text}")
    return float(found[1])


def ours(**options: object) -> Contender:
    """headrace.load.http with these options."""

    def run(port: int, seconds: float) -> Sample:
        given = {"url": f"http://127.0.0.1:{port}/", "duration_s": seconds, "drain_s": 5.0, **options}
        text, _ = timed([sys.executable, "-c", OURS, json.dumps(given)], seconds)
        got = json.loads(text.splitlines()[-1])
        if got["failed"]:
            raise CannotMeasure(f"headrace: {got['failed']} requests failed")
        return Sample(got["rate"], 1e6 * got["cpu_s"] / got["requests"], got["p50"], got["p90"], got["p99"], got["max"])

    return run


def wrk(port: int, seconds: float) -> Sample:
    command = ["wrk", "-t1", "-c64", f"-d{seconds:g}s", "--latency", f"http://127.0.0.1:{port}/"]
    text, cpu = timed(command, seconds)
    in_ms = {"us": 1e-3, "ms": 1.0, "s": 1e3}

    def latency(percent: int) -> float:
        found = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s)", text)
        return float(found[1]) * in_ms[found[2]] if found else float("nan")

    requests = number(r"(\d+) requests in", text)
    return Sample(
        number(r"Requests/sec:\s+([\d.]+)", text), 1e6 * cpu / requests, latency(50), latency(90), latency(99)
    )


def siege(connection: str, users: int) -> Contender:
    """siege in benchmark mode; its settings file says how connections are used and silences it."""

    def run(port: int, seconds: float) -> Sample:
        with tempfile.NamedTemporaryFile("w", suffix=".siegerc") as settings:
            settings.write(
                f"verbose = false\nquiet = false\nconnection = {connection}\nlimit = 1000\nlogging = false\n"
            )
            settings.write("show-logfile = false\njson_output = false\ncolor = off\nfailures = 1000000\n")
            settings.flush()
            whole = max(1, round(seconds))
            url = f"http://127.0.0.1:{port}/"
            text, cpu = timed(["siege", "-R", settings.name, "-b", "-c", str(users), f"-t{whole}S", url], seconds)
        if number(r"Failed transactions:\s+(\d+)", text) > 0:
            raise CannotMeasure(f"siege: failures\n{text}")
        hits = number(r"Transactions:\s+(\d+)", text)
        return Sample(number(r"Transaction rate:\s+([\d.]+)", text), 1e6 * cpu / hits)

    return run


def hey(*options: str) -> Contender:
    def run(port: int, seconds: float) -> Sample:
        url = f"http://127.0.0.1:{port}/"
        text, cpu = timed(["hey", "-cpus", "1", "-z", f"{seconds:g}s", *options, url], seconds)
        requests = number(r"\[200\]\s+(\d+) responses", text)

        def latency(percent: int) -> float:
            found = re.search(rf"{percent}%+ in ([\d.]+) secs", text)
            return 1e3 * float(found[1]) if found else float("nan")

        longest = 1e3 * number(r"Slowest:\s+([\d.]+)", text)
        rate = number(r"Requests/sec:\s+([\d.]+)", text)
        return Sample(rate, 1e6 * cpu / requests, latency(50), latency(90), latency(99), longest)

    return run


@dataclass(frozen=True)
class Group:
    """Contenders by name (the first word is the program), what they are tried on, and the bars."""

    name: str
    server: Callable[[int], list[str]]
    contenders: dict[str, Contender]
    bars: Callable[[dict[str, list[Sample]]], list[tuple[str, float, bool]]]
    seconds: float | None = None
    rounds: int | None = None


def ratio(samples: dict[str, list[Sample]], figure: str, of: str, to: str) -> float:
    """Median over rounds of one contender's figure over another's; NaN when one is missing."""
    if of not in samples or to not in samples:
        return float("nan")
    pairs = zip(samples[of], samples[to], strict=True)
    return float(statistics.median(getattr(a, figure) / getattr(b, figure) for a, b in pairs))


def keep_alive_bars(s: dict[str, list[Sample]]) -> list[tuple[str, float, bool]]:
    rate, cpu = ratio(s, "rate", "headrace", "wrk"), ratio(s, "cpu_us", "headrace", "wrk")
    return [("rate / wrk's >= 0.95", rate, rate >= 0.95), ("CPU per request / wrk's <= 1.1", cpu, cpu <= 1.1)]


def close_bars(s: dict[str, list[Sample]]) -> list[tuple[str, float, bool]]:
    rate = ratio(s, "rate", "headrace", "siege")
    return [("rate / siege's >= 3", rate, rate >= 3)]


def stall_bars(s: dict[str, list[Sample]]) -> list[tuple[str, float, bool]]:
    p90, p99 = (statistics.median(getattr(one, p) for one in s["headrace"]) for p in ("p90", "p99"))
    return [
        ("p90 within 5 % of 500 ms", p90, abs(p90 / 500 - 1) <= 0.05),
        ("p99 within 5 % of 950 ms", p99, abs(p99 / 950 - 1) <= 0.05),
    ]


def floor(port: int) -> list[str]:
    return [str(FLOOR), str(port)]


def stalling(port: int) -> list[str]:
    return [sys.executable, str(STALLING), str(port)]


GROUPS = (
    Group(
        "keep-alive",
        floor,
        {
            "headrace": ours(users=64),
            "wrk": wrk,
            "hey": hey("-c", "64"),
            "siege": siege("keep-alive", 64),
        },
        keep_alive_bars,
    ),
    Group(
        "close",
        floor,
        {
            "headrace": ours(users=25, keep_alive=False),
            "siege": siege("close", 25),
            "hey": hey("-c", "25", "-disable-keepalive"),
        },
        close_bars,
    ),
    Group(
        "stall",
        stalling,
        {"headrace": ours(rate=500, warm_up_s=0.5), "hey": hey("-c", "50", "-q", "10")},
        stall_bars,
        seconds=20.0,  # four periods: the arithmetic holds for whole ones
        rounds=1,
    ),
)


@contextmanager
def running(argv: list[str], port: int) -> Iterator[None]:
    """A server on its core, from its first accepted connection to its end."""
    process = subprocess.Popen(["taskset", "-c", str(SERVER_CORE), *argv])
    try:
        wait_until_it_listens(port, process)
        yield
    finally:
        process.kill()
        process.wait()


def wait_until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    import socket

    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise CannotMeasure(f"{process.args!r} does not listen")


def measure(group: Group, rounds: int, seconds: float) -> dict[str, list[Sample]]:
    """Rounds in which the contenders take turns, beginning with another one each time."""
    able = {name: run for name, run in group.contenders.items() if name == "headrace" or shutil.which(name)}
    for name in group.contenders.keys() - able.keys():
        missing = f"{name} is not installed; script/bootstrap --all installs it"
        if os.environ.get("HEADRACE_REQUIRE_ALL") == "1":
            raise CannotMeasure(missing)
        print(f"{group.name}: {missing}", file=sys.stderr)
    found: dict[str, list[Sample]] = {name: [] for name in able}
    port = free_port()
    with running(group.server(port), port):
        for number_of_round in range(group.rounds or rounds):
            names = list(able)
            turn = number_of_round % len(names)
            for name in names[turn:] + names[:turn]:
                found[name].append(able[name](port, group.seconds or seconds))
    return found


def report(group: Group, samples: dict[str, list[Sample]]) -> bool:
    """Prints medians and bars; whether every bar is reached. A bar without its rival is not judged."""
    print(
        f"\n{group.name}\n  {'':<10}{'requests/s':>12}{'us CPU each':>13}{'p50 ms':>10}{'p90':>9}{'p99':>9}{'max':>9}"
    )
    for name, runs in samples.items():
        row = [statistics.median(getattr(r, f) for r in runs) for f in asdict(runs[0])]
        shown = "".join(f"{v:9.3g}" if v == v else f"{'-':>9}" for v in row[3:])
        print(f"  {name:<10}{row[0]:>12,.0f}{row[1]:>13.2f}{row[2]:>10.3g}{shown}")
    good = True
    for what, value, reached in group.bars(samples):
        word = "reached" if reached else "not judged" if value != value else "MISSED"
        good = good and word != "MISSED"
        print(f"  {what}: {value:.3f} {word}")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--only", choices=[g.name for g in GROUPS])
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    if len(os.sched_getaffinity(0)) < 2:
        print("load_bench: two cores are needed, one for the server and one for the generator", file=sys.stderr)
        return 2
    if not FLOOR.exists():
        for step in (
            ["cmake", "--preset", "release"],
            ["cmake", "--build", "--preset", "release", "--target", FLOOR.name],
        ):
            subprocess.run(step, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    good, document = True, {}
    for group in GROUPS:
        if options.only in (None, group.name):
            try:
                samples = measure(group, options.rounds, options.seconds)
            except CannotMeasure as error:
                print(f"load_bench: {error}", file=sys.stderr)
                return 2
            good = report(group, samples) and good
            document[group.name] = {name: [asdict(s) for s in runs] for name, runs in samples.items()}
    if options.json:
        Path(options.json).write_text(json.dumps(document, indent=1) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
