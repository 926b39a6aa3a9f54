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
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import psutil
from pinned import CannotMeasure, Sample, check_machine, median, serving, wrk

from headrace.servers.base import free_port

HERE = Path(__file__).parent
EXECUTORS = ("native", "inline", "asyncio", "thread", "process", "sync")
PROGRAMS = {"headrace": HERE / "app_server.py", "socketify": HERE / "peers/socketify_server.py"}
BODIES = {"echo": "x" * 1024, "json": json.dumps({"id": 7, "tags": ["a", "b"], "price": 12.5, "text": "x" * 100})}


@contextmanager
def server(name: str) -> Iterator[tuple[str, psutil.Process]]:
    """Runs a contender until it is left: its address and its process."""
    port = free_port()
    with serving(name, [sys.executable, str(PROGRAMS[name]), str(port)], port, HERE) as process:
        yield f"http://127.0.0.1:{port}/", process


def compare(tasks: list[str], names: list[str], rounds: int, seconds: int) -> dict[str, dict[str, list[Sample]]]:
    """Samples by task and contender."""
    found: dict[str, dict[str, list[Sample]]] = {task: {name: [] for name in names} for task in tasks}
    for _ in range(rounds):
        for name in names:
            with server(name) as (url, process):
                wrk(name, process, url + "hello", 1)  # warm
                for task in tasks:
                    found[task][name].append(wrk(name, process, url + task, seconds, body=BODIES.get(task, "")))
    return found


def executors(rounds: int, seconds: int) -> dict[str, list[Sample]]:
    """Samples by executor."""
    found: dict[str, list[Sample]] = {name: [] for name in EXECUTORS}
    with server("headrace") as (url, process):
        for _ in range(rounds):
            for name in EXECUTORS:
                found[name].append(wrk(name, process, url + name, seconds))
    return found


def line(task: str, name: str, figures: Sample) -> str:
    return f"{task:10} {name:10} {figures.rate:>10,.0f}/s {figures.per_cpu_s:>10,.0f} per CPU second"


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
        figures[task] = {name: asdict(median(samples)) for name, samples in rows.items()}
        for name, samples in rows.items():
            print(line(task, name, median(samples)), flush=True)
        if "socketify" in rows:
            pairs = zip(rows["headrace"], rows["socketify"], strict=True)
            ratio = statistics.median(ours.per_cpu_s / theirs.per_cpu_s for ours, theirs in pairs)
            good = good and ratio >= 1.0
            print(f"{task:10} headrace / socketify per CPU second: {ratio:.2f} (bar 1.00)", flush=True)
            figures[f"{task} ratio"] = ratio
    if "executors" in chosen:
        rows = executors(rounds, seconds)
        figures["executors"] = {name: asdict(median(samples)) for name, samples in rows.items()}
        for name, samples in rows.items():
            print(line("hello", name, median(samples)), flush=True)
    return figures, good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    groups = ["hello", "echo", "json", "executors"]
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=groups, default=groups)
    parser.add_argument("--json", type=Path, help="figures, for programs")
    options = parser.parse_args()
    try:
        check_machine()
        figures, good = run(options.only, options.rounds, options.seconds)
    except CannotMeasure as error:
        print(f"server_bench: {error}", file=sys.stderr)
        return 2
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
