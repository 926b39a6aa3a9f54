"""What this installation and this machine can do; the data behind ``headrace doctor``."""

from __future__ import annotations

import os
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import Any

from headrace import build_config, features
from headrace.results.machine import describe_machine

# program, Debian package, arguments that print a version (None: asking is slow or has side effects), what for
_PROGRAMS: tuple[tuple[str, str, tuple[str, ...] | None, str], ...] = (
    ("redis-server", "redis-server", ("--version",), "private servers for experiments and tests"),
    ("openssl", "openssl", ("version",), "certificates of private servers with TLS"),
    ("setpriv", "util-linux", ("--version",), "children that die with their parent"),
    ("wrk", "wrk", None, "load generator that ours is compared with"),
    ("siege", "siege", None, "load generator that ours is compared with"),
    ("hey", "hey", None, "load generator that ours is compared with"),
    ("nats-server", "nats-server", ("--version",), "not used by this version"),
    ("mosquitto", "mosquitto", None, "not used by this version"),
    ("rabbitmq-server", "rabbitmq-server", None, "not used by this version"),
    ("activemq", "activemq", None, "not used by this version"),
)
_SYSTEM_PATH = "/usr/sbin:/usr/local/sbin:/sbin:/usr/lib/rabbitmq/bin"
_FEW_FILES = 1024


def examine() -> dict[str, Any]:
    """Everything as plain data, in about half a second.

    ``build`` (versions), ``features`` (name: None, or why it is missing), ``programs`` (name, path, version,
    install, purpose), ``machine`` (see results.machine), ``measured`` (what, median_us, p99_us), ``advice``.
    """
    machine = describe_machine()
    programs = [_program(*row) for row in _PROGRAMS]
    return {
        "build": build_config(),
        "features": {name: features.why_not(name) for name in features.names()},
        "programs": programs,
        "machine": machine,
        "measured": [
            _measured("timer: how late a sleep of 100 us ends", _oversleep, 300),
            _measured("loopback: one byte there and back over TCP, one thread", _loopback(), 1000),
            _measured(f"disk: append 4 KiB and fsync, in {tempfile.gettempdir()}", _disk(), 20),
        ],
        "advice": _advice(machine, programs),
    }


def _program(name: str, package: str, version_args: tuple[str, ...] | None, purpose: str) -> dict[str, Any]:
    path = shutil.which(name) or shutil.which(name, path=_SYSTEM_PATH)
    return {
        "name": name,
        "path": path,
        "version": _version(path, version_args) if path and version_args else None,
        "install": f"apt install {package}",
        "purpose": purpose,
    }


def _version(path: str, args: tuple[str, ...]) -> str | None:
    try:
        done = subprocess.run([path, *args], capture_output=True, text=True, timeout=5, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\d+(\.\d+)+", done.stdout or done.stderr)
    return found.group() if found else None


def _measured(what: str, once: Callable[[], float], times: int) -> dict[str, Any]:
    """``once`` returns seconds."""
    values = sorted(once() for _ in range(times))
    p99 = values[min(len(values) - 1, int(0.99 * len(values)))]
    return {"what": what, "median_us": statistics.median(values) * 1e6, "p99_us": p99 * 1e6}


def _oversleep() -> float:
    begin = time.perf_counter()
    time.sleep(100e-6)
    return time.perf_counter() - begin - 100e-6


def _loopback() -> Callable[[], float]:
    """Both ends in one thread: the floor that the network stack sets, without a switch between threads."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    for end in (near, far):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def once() -> float:
        begin = time.perf_counter()
        near.send(b"x")
        far.recv(1)
        far.send(b"x")
        near.recv(1)
        return time.perf_counter() - begin

    return once


def _disk() -> Callable[[], float]:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the function below
    block = b"x" * 4096

    def once() -> float:
        begin = time.perf_counter()
        file.write(block)
        file.flush()
        os.fsync(file.fileno())
        return time.perf_counter() - begin

    return once


def _advice(machine: dict[str, Any], programs: list[dict[str, Any]]) -> list[str]:
    texts = []
    if not programs[0]["path"]:
        texts.append(f"redis-server is missing: experiments need a url, or {programs[0]['install']}")
    if machine.get("governor") not in (None, "performance"):
        texts.append(
            f"the CPU governor is {machine['governor']!r}: figures vary with the clock; "
            "set it to 'performance' (cpupower frequency-set -g performance)"
        )
    if machine["open_files_limit"] < _FEW_FILES:
        texts.append(f"only {machine['open_files_limit']} open files are allowed: ulimit -n 4096")
    load = machine.get("load_before") or 0.0
    if load > 0.5 * (machine.get("cores") or 1):
        texts.append(f"the machine is busy (load {load:.1f}): measure when it is quiet")
    return texts
