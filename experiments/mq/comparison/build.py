"""Compiles the C rivals on demand, into ``build/peers`` of the checkout."""

from __future__ import annotations

import functools
import shlex
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PEERS = Path(__file__).resolve().parents[1] / "peers"
CACHE = ROOT / "build" / "peers"


class Missing(Exception):
    """A rival cannot run here; the text says what to install."""


@functools.cache
def hiredis_flags() -> tuple[str, ...]:
    """What pkg-config says about hiredis. Raises Missing."""
    if shutil.which("cc") is None or shutil.which("pkg-config") is None:
        raise Missing("no C compiler or no pkg-config; install them with: apt install gcc pkg-config")
    found = subprocess.run(["pkg-config", "--cflags", "--libs", "hiredis"], capture_output=True, text=True)
    if found.returncode != 0:
        raise Missing("hiredis was not found; install it with: apt install libhiredis-dev")
    return tuple(shlex.split(found.stdout))


@functools.cache
def compiled(stem: str) -> Path:
    """The program made from ``peers/<stem>.c``, compiled again when a source is newer. Raises Missing."""
    flags = hiredis_flags()
    source, program = PEERS / f"{stem}.c", CACHE / stem
    newest = max(source.stat().st_mtime, (PEERS / "peer.h").stat().st_mtime)
    if program.exists() and program.stat().st_mtime > newest:
        return program
    CACHE.mkdir(parents=True, exist_ok=True)
    command = ["cc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-o", str(program), str(source), *flags]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Missing(f"{shlex.join(command)} failed:\n{done.stderr.strip()}")
    return program
