"""ASGI servers side by side: the same applications on headrace, granian and uvicorn, requests per server CPU second.

python experiments/http_executors/asgi_bench.py [--rounds 5] [--seconds 2] [--target raw|starlette]

The server has core 0 for itself, wrk core 1. Rounds alternate between the servers and the median counts: compare ratios
of one run, not figures of different runs. Exit 0 when every bar is reached, 1 when one is not, 2 when nothing could be
measured.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path

import psutil
from pinned import CannotMeasure, Sample, check_machine, median, serving, wrk

from headrace.servers.base import free_port

HERE = Path(__file__).parent
PYTHON = sys.executable
TARGETS = {"raw": "asgi_apps:raw", "starlette": "asgi_apps:make_starlette"}
BODIES = {"hello": "", "echo": "x" * 1024, "json": json.dumps({"numbers": list(range(100)), "text": "y" * 500})}
SERVERS = ("headrace", "granian", "uvicorn")
BARS = {"raw": 1.2, "starlette": 1.1}  # of the better rival


def command(server: str, target: str, port: int) -> list[str]:
    factory = ["--factory"] if target == "starlette" else []
    name = TARGETS[target]
    if server == "headrace":
        options = ["--port", str(port), "--loop", "uvloop", "--lifespan", "off", *factory]
        return [PYTHON, "-m", "headrace", "serve", "http", "--asgi", name, *options]
    if server == "granian":
        options = ["--interface", "asgi", "--port", str(port), "--workers", "1", "--task-impl", "rust"]
        quiet = ["--no-access-log", "--log-level", "error"]
        return [PYTHON, "-m", "granian", *options, "--loop", "uvloop", *quiet, *factory, name]
    options = ["--port", str(port), "--loop", "uvloop", "--http", "httptools", "--lifespan", "off", "--no-access-log"]
    return [PYTHON, "-m", "uvicorn", *options, "--log-level", "error", *factory, name]


def compare(target: str, rounds: int, seconds: int, connections: int) -> bool:
    """Prints the figures of one kind of application; whether all its bars were reached."""
    reached = True
    with contextlib.ExitStack() as stack:
        running: dict[str, tuple[str, psutil.Process]] = {}
        for name in SERVERS:
            port = free_port()
            process = stack.enter_context(serving(name, command(name, target, port), port, HERE))
            running[name] = (f"http://127.0.0.1:{port}/", process)
        for case, body in BODIES.items():
            figures: dict[str, list[Sample]] = {name: [] for name in SERVERS}
            for name, (url, process) in running.items():
                wrk(name, process, url + case, 1, body=body, connections=connections)  # warm
            for _ in range(rounds):
                for name, (url, process) in running.items():
                    figures[name].append(wrk(name, process, url + case, seconds, body=body, connections=connections))
            medians = {name: median(samples) for name, samples in figures.items()}
            ratio = medians["headrace"].per_cpu_s / max(medians[name].per_cpu_s for name in SERVERS[1:])
            reached = reached and ratio >= BARS[target]
            columns = "  ".join(f"{n} {m.rate:,.0f}/s, {m.per_cpu_s:,.0f} per CPU s" for n, m in medians.items())
            verdict = "reached" if ratio >= BARS[target] else "MISSED"
            print(f"{target:9} {case:5}  {columns}  ratio {ratio:.2f} (bar {BARS[target]}: {verdict})", flush=True)
    return reached


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--target", choices=list(TARGETS), action="append")
    arguments = parser.parse_args()
    try:
        check_machine()
        reached = [
            compare(target, arguments.rounds, arguments.seconds, arguments.connections)
            for target in arguments.target or TARGETS
        ]
    except CannotMeasure as error:
        print(f"asgi_bench: {error}", file=sys.stderr)
        return 2
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(main())
