"""What contenders need: whether it is there, how to get it. Go programs are built, npm packages fetched, on demand.

Each function gives a ``Need``: called, it returns None, or the reason why the contender must be left out.
"""

from __future__ import annotations

import functools
import importlib.util
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

Need = Callable[[], str | None]
_TIMEOUT_S = 180.0


def module(name: str, package: str) -> Need:
    """A Python module that pip installs as ``package``."""

    def need() -> str | None:
        if importlib.util.find_spec(name) is not None:
            return None
        return f"{name} is not installed; install it with: pip install {shlex.quote(package)}"

    return need


def bench(root: Path, name: str) -> Need:
    """A native benchmark of this project, which stands in ``root``."""

    def need() -> str | None:
        if (root / "build" / "release" / "cpp" / "bench" / name).exists():
            return None
        build = f"cmake --preset release && cmake --build --preset release --target {name}"
        return f"{name} is not built; build it with: {build}"

    return need


def go(source: Path, program: Path) -> Need:
    """The Go program of the folder ``source``, built as ``program``."""

    @functools.cache
    def need() -> str | None:
        if not source.is_dir():
            return f"{source} is not there"
        if shutil.which("go") is None:
            return "go is missing; install it with: apt install golang-go"
        program.parent.mkdir(parents=True, exist_ok=True)
        return _failure(["go", "build", "-o", str(program), "."], source)

    return need


def npm(package: str, version: str, folder: Path) -> Need:
    """Node and a package of npm, fetched into ``folder``."""

    @functools.cache
    def need() -> str | None:
        for program in ("node", "npm"):
            if shutil.which(program) is None:
                return f"{program} is missing; install it with: apt install nodejs npm"
        if (folder / "node_modules" / package).is_dir():
            return None
        folder.mkdir(parents=True, exist_ok=True)
        quiet = ["--silent", "--no-fund", "--no-audit"]
        return _failure(["npm", "install", *quiet, "--prefix", str(folder), f"{package}@{version}"], folder)

    return need


def _failure(command: list[str], where: Path) -> str | None:
    try:
        done = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"{shlex.join(command)} did not end within {_TIMEOUT_S:g} s"
    if done.returncode == 0:
        return None
    return f"{shlex.join(command)} failed: {(done.stderr or done.stdout).strip()[-300:]}"
