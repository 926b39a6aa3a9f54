"""Python handlers in the I/O thread beside socketify, and the other executors: requests per second of server CPU.

python experiments/http_executors/server_bench.py [--rounds 5] [--seconds 2] [--only GROUP ...] [--json FILE]

Groups:
  hello, echo, json   64 keep-alive connections; hello, 1 KB sent back, JSON parsed and printed again. An inline handler
                      must reach socketify's requests per CPU second in each
  executors           hello on every executor of one app, to compare; process routes count the CPU of their workers

The server has core 0, wrk core 1; contenders of a round follow each other, figures are medians, ratios medians over
rounds. Compare ratios of one run, not figures of different ones. Exit 0 when every bar is reached, 1 when one is not, 2
when nothing could be measured; a rival that is not installed is left out and named, and an error with
HEADRACE_REQUIRE_ALL=1.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from headrace.servers.base import free_port

HERE = Path(__file__).parent
SERVER_CORE, GENERATOR_CORE = 0, 1
EXECUTORS = ("native", "inline", "asyncio", "thread", "process", "sync")
PROGRAMS = {"headrace": HERE / "app_server.py", "socketify": HERE / "peers/socketify_server.py"}
BODIES = {"echo": "x" * 1024, "json": json.dumps({"id": 7, "tags": ["a", "b"], "price": 12.5, "text": "x" * 100})}
POST = 'wrk.method = "POST"\nwrk.body = [[{body}]]\n'


class CannotMeasure(Exception):
    """A server or wrk failed; the text says which."""


@dataclass(frozen=True)
class Sample:
    """One contender in one round."""

    rate: float
    per_cpu_s: float


@contextmanager
def server(name: str) -> Iterator[tuple[int, psutil.Process]]:
    """Runs a contender on its core until it is left."""
    port = free_port()
    command = ["taskset", "-c", str(SERVER_CORE), sys.executable, str(PROGRAMS[name]), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise CannotMeasure(f"{name} did not start")
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def cpu(process: psutil.Process) -> float:
    """Seconds that it and its workers have used."""
    used = [process.cpu_times(), *(child.cpu_times() for child in process.children(recursive=True))]
    return float(sum(each.user + each.system for each in used))


def measure(name: str, port: int, process: psutil.Process, path: str, body: str, seconds: int) -> Sample:
    """One load by wrk."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(POST.format(body=body) if body else "")
        script.flush()
        before = cpu(process)
        command = ["taskset", "-c", str(GENERATOR_CORE), "wrk", "-t1", "-c64", f"-d{seconds}s", "-s", script.name]
        url = f"http://127.0.0.1:{port}/{path}"
        text = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
        used = cpu(process) - before
    if "Non-2xx" in text or "Socket errors" in text:
        raise CannotMeasure(f"{name} answered wrongly:\n{text}")
    rate, count = re.search(r"Requests/sec:\s+([\d.]+)", text), re.search(r"(\d+) requests in", text)
    if rate is None or count is None:
        raise CannotMeasure(f"wrk said:\n{text}")
    return Sample(float(rate[1]), int(count[1]) / used)


def compare(tasks: list[str], names: list[str], rounds: int, seconds: int) -> dict[str, dict[str, list[Sample]]]:
    """Samples by task and contender."""
    found: dict[str, dict[str, list[Sample]]] = {task: {name: [] for name in names} for task in tasks}
    for _ in range(rounds):
        for name in names:
            with server(name) as (port, process):
                measure(name, port, process, "hello", "", 1)  # warm
                for task in tasks:
                    sample = measure(name, port, process, task, BODIES.get(task, ""), seconds)
                    found[task][name].append(sample)
    return found


def executors(rounds: int, seconds: int) -> dict[str, list[Sample]]:
    """Samples by executor."""
    found: dict[str, list[Sample]] = {name: [] for name in EXECUTORS}
    with server("headrace") as (port, process):
        for _ in range(rounds):
            for name in EXECUTORS:
                found[name].append(measure(name, port, process, name, "", seconds))
    return found


def medians(samples: list[Sample]) -> dict[str, float]:
    return {
        "rate": statistics.median(s.rate for s in samples),
        "per_cpu_s": statistics.median(s.per_cpu_s for s in samples),
    }


def line(task: str, name: str, figures: dict[str, float]) -> str:
    return f"{task:10} {name:10} {figures['rate']:>10,.0f}/s {figures['per_cpu_s']:>10,.0f} per CPU second"


def run(chosen: list[str], rounds: int, seconds: int) -> tuple[dict[str, object], bool]:
    """Prints the figures, and answers them and whether every bar was reached."""
    names = ["headrace"]
    if importlib.util.find_spec("socketify") is not None:
        names.append("socketify")
    elif os.environ.get("HEADRACE_REQUIRE_ALL") == "1":
        raise CannotMeasure("socketify is not installed")
    else:
        print("socketify is not installed: left out")
    good = True
    figures: dict[str, object] = {}
    tasks = [task for task in chosen if task != "executors"]
    for task, rows in compare(tasks, names, rounds, seconds).items() if tasks else ():
        figures[task] = {name: medians(samples) for name, samples in rows.items()}
        for name, samples in rows.items():
            print(line(task, name, medians(samples)), flush=True)
        if "socketify" in rows:
            pairs = zip(rows["headrace"], rows["socketify"], strict=True)
            ratio = statistics.median(ours.per_cpu_s / theirs.per_cpu_s for ours, theirs in pairs)
            good = good and ratio >= 1.0
            print(f"{task:10} headrace / socketify per CPU second: {ratio:.2f} (bar 1.00)", flush=True)
            figures[f"{task} ratio"] = ratio
    if "executors" in chosen:
        rows = executors(rounds, seconds)
        figures["executors"] = {name: medians(samples) for name, samples in rows.items()}
        for name, samples in rows.items():
            print(line("hello", name, medians(samples)), flush=True)
    return figures, good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    groups = ["hello", "echo", "json", "executors"]
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=groups, default=groups)
    parser.add_argument("--json", type=Path, help="figures, for programs")
    options = parser.parse_args()
    if shutil.which("wrk") is None or shutil.which("taskset") is None or len(os.sched_getaffinity(0)) < 2:
        print("server_bench: needs wrk, taskset and two cores", file=sys.stderr)
        return 2
    try:
        figures, good = run(options.only, options.rounds, options.seconds)
    except (CannotMeasure, subprocess.CalledProcessError) as error:
        print(f"server_bench: {error}", file=sys.stderr)
        return 2
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
