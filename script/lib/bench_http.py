"""Rounds of wrk against the floor and against headrace.http, side by side; started by script/bench_http."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from headrace.servers.base import free_port

FLOOR = Path("build/release/cpp/bench/http_floor")
SERVE = """
import sys, time, headrace
server = headrace.http.Server(port=int(sys.argv[1]))
server.route("GET", "/hello", native="hello")
with server.running():
    time.sleep(3600)
"""
PIPELINED = """
init = function(args)
  local r = {}
  for i = 1, 16 do r[i] = wrk.format("GET", "/hello") end
  whole = table.concat(r)
end
request = function() return whole end
"""


def load(port: int, server: psutil.Process, seconds: str, script: list[str]) -> tuple[float, float]:
    """Requests per second, and per CPU second of the server."""

    def cpu() -> float:
        used = server.cpu_times()
        return float(used.user + used.system)

    before = cpu()
    command = ["taskset", "-c", "1", "wrk", "-t1", "-c64", f"-d{seconds}s", *script, f"http://127.0.0.1:{port}/hello"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    used = cpu() - before
    if "Non-2xx" in text or "Socket errors" in text:
        raise SystemExit(f"bench_http: wrong answers\n{text}")
    rate, count = re.search(r"Requests/sec:\s+([\d.]+)", text), re.search(r"(\d+) requests in", text)
    assert rate is not None
    assert count is not None
    return float(rate[1]), int(count[1]) / used


def main(rounds: int, seconds: str) -> None:
    """Prints one line per load: medians of both, and the median of the ratios."""
    ports = {"floor": free_port(), "headrace": free_port()}
    commands = {
        "floor": [str(FLOOR), str(ports["floor"])],
        "headrace": [sys.executable, "-c", SERVE, str(ports["headrace"])],
    }
    running = {name: subprocess.Popen(["taskset", "-c", "0", *command]) for name, command in commands.items()}
    try:
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
            script.write(PIPELINED)
            script.flush()
            time.sleep(1.0)
            for title, extra in (("keep-alive", []), ("pipelined x16", ["-s", script.name])):
                rows: dict[str, list[tuple[float, float]]] = {name: [] for name in ports}
                for _ in range(rounds):
                    for name, port in ports.items():
                        rows[name].append(load(port, psutil.Process(running[name].pid), seconds, extra))
                ratio = statistics.median(h[1] / f[1] for h, f in zip(rows["headrace"], rows["floor"], strict=True))
                parts = []
                for name, row in rows.items():
                    rate, per_cpu = (statistics.median(r[i] for r in row) for i in (0, 1))
                    parts.append(f"{name} {rate:,.0f}/s {per_cpu:,.0f} per CPU-s")
                print(f"{title}: {'; '.join(parts)}; headrace/floor per CPU-s {ratio:.2f}", flush=True)
    finally:
        for process in running.values():
            process.kill()
            process.wait()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
