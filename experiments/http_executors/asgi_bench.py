"""ASGI servers side by side: the same applications on headrace, granian and uvicorn, requests per server CPU second.

The server has core 0 for itself, wrk core 1. Rounds alternate between the servers and the median counts: compare ratios
of one run, not figures of different runs. Exit status 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

HERE = Path(__file__).parent
PYTHON = sys.executable
TARGETS = {"raw": "asgi_apps:raw", "starlette": "asgi_apps:make_starlette"}
CASES = ("hello", "echo", "json")
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


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextlib.contextmanager
def serving(server: str, target: str) -> Iterator[tuple[int, int]]:
    """Process id and port."""
    port = free_port()
    process = subprocess.Popen(["taskset", "-c", "0", *command(server, target, port)], cwd=HERE, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{server} did not start") from None
                time.sleep(0.05)
        yield process.pid, port
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stderr is not None
        process.stderr.close()


def cpu_seconds(pid: int) -> float:
    root = psutil.Process(pid)
    return sum(sum(p.cpu_times()[:2]) for p in [root, *root.children(recursive=True)])


def measure(pid: int, port: int, case: str, seconds: int, connections: int) -> tuple[float, float]:
    """Requests per second, and per CPU second of the server."""
    script = HERE / "peers" / f"post_{case}.lua"
    argv = [
        "taskset",
        "-c",
        "1",
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        f"http://127.0.0.1:{port}/{case}",
    ]
    if script.exists():
        argv += ["-s", str(script)]
    before = cpu_seconds(pid)
    out = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    used = cpu_seconds(pid) - before
    if "Non-2xx" in out:
        raise SystemExit(f"{case} was not answered with 200:\n{out}")
    found = re.search(r"(\d+) requests in ([\d.]+)s", out)
    assert found is not None, out
    return int(found[1]) / float(found[2]), int(found[1]) / used


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--target", choices=list(TARGETS), action="append")
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing: script/bootstrap --all installs it")
    servers = ("headrace", "granian", "uvicorn")
    missed = False
    for target in arguments.target or list(TARGETS):
        with contextlib.ExitStack() as stack:
            running = {s: stack.enter_context(serving(s, target)) for s in servers}
            for case in CASES:
                for pid, port in running.values():
                    measure(pid, port, case, 1, arguments.connections)
                figures: dict[str, list[tuple[float, float]]] = {s: [] for s in servers}
                for _ in range(arguments.rounds):
                    for name, (pid, port) in running.items():
                        figures[name].append(measure(pid, port, case, arguments.seconds, arguments.connections))
                per_cpu = {s: statistics.median(c for _, c in f) for s, f in figures.items()}
                per_second = {s: statistics.median(r for r, _ in f) for s, f in figures.items()}
                ratio = per_cpu["headrace"] / max(per_cpu["granian"], per_cpu["uvicorn"])
                good = ratio >= BARS[target]
                missed = missed or not good
                columns = "  ".join(f"{s} {per_second[s]:,.0f}/s, {per_cpu[s]:,.0f} per CPU s" for s in servers)
                verdict = "reached" if good else "MISSED"
                print(f"{target:9} {case:5}  {columns}  ratio {ratio:.2f} (bar {BARS[target]}: {verdict})", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
