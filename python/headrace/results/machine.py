"""What a figure depends on besides the program: the machine, its limits, and the versions in use."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import sys
from pathlib import Path
from typing import Any

import psutil

from headrace import build_config

_PACKAGES = ("numpy", "pandas", "pyarrow", "psutil")


def describe_machine() -> dict[str, Any]:
    """CPU, memory (bytes), kernel, governor and limits of this machine, as one flat JSON object.

    What the system does not tell (a governor inside a container, say) is None.
    """
    frequency = psutil.cpu_freq()
    return {
        "host": platform.node(),
        "cpu": _cpu_model(),
        "cores": psutil.cpu_count(logical=True),
        "cores_physical": psutil.cpu_count(logical=False),
        "cores_usable": len(os.sched_getaffinity(0)),
        "cpu_mhz": round(frequency.current) if frequency and frequency.current else None,
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "memory_bytes": psutil.virtual_memory().total,
        "swap_bytes": psutil.swap_memory().total,
        "cgroup_cpu_max": _read("/sys/fs/cgroup/cpu.max"),
        "cgroup_memory_max": _read("/sys/fs/cgroup/memory.max"),
        "open_files_limit": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "kernel": platform.release(),
        "system": _os_name(),
        "architecture": platform.machine(),
        "clocksource": _read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "load_before": round(os.getloadavg()[0], 2),
    }


def describe_versions() -> dict[str, Any]:
    """Versions of headrace (with how it was built), Python and the packages that handle the figures."""
    packages: dict[str, str | None] = {}
    for name in _PACKAGES:
        try:
            packages[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            packages[name] = None
    return {"headrace": build_config(), "python": sys.version.split()[0], "packages": packages}


def process_identity() -> dict[str, Any]:
    """What tells this process from a later one with the same number: boot, pid and start time (epoch
    seconds)."""
    return {"boot_id": boot_id(), "pid": os.getpid(), "pid_started": psutil.Process().create_time()}


def is_alive(identity: dict[str, Any]) -> bool:
    """Whether the process of ``process_identity()`` still runs on this machine."""
    if identity.get("boot_id") != boot_id() or not isinstance(identity.get("pid"), int):
        return False
    try:
        process = psutil.Process(identity["pid"])
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return abs(process.create_time() - float(identity["pid_started"])) < 1.0
    except (psutil.Error, KeyError, TypeError, ValueError):
        return False


def boot_id() -> str | None:
    """The kernel's random name for this boot of this machine."""
    return _read("/proc/sys/kernel/random/boot_id")


def _cpu_model() -> str | None:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(("model name", "Model")):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or None


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return platform.system()


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None
