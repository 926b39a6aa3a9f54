"""Serving an app that is named, as the command line does: once, or again whenever its modules change."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from headrace.errors import HeadraceError, InvalidArgument
from headrace.http.app import App
from headrace.http.signals import StopSignal

__all__ = ["Serving", "changed", "child", "load_app", "serve", "serve_reloading", "snapshot"]

RELOAD = 75  # exit status of a child whose modules have changed
LOOK_EVERY_S = 0.25


@dataclass(frozen=True)
class Serving:
    """What is served, and where."""

    target: str
    host: str
    port: int
    threads: int
    grace_s: float
    settings: dict[str, Any]


def load_app(target: str) -> App:
    """The app that ``module:name`` says. InvalidArgument: there is none. What the module raises goes through."""
    module_name, colon, name = target.partition(":")
    if not (module_name and colon and name):
        raise InvalidArgument(f"cannot read {target!r}; write module:app, such as shop:app")
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name.partition(".")[0] and error.name != module_name:
            raise
        raise InvalidArgument(f"there is no module {module_name!r} in {os.getcwd()} or on the module path") from None
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, App):
        raise InvalidArgument(f"{target} is no headrace.http.App but {found!r}; for ASGI applications add --asgi")
    return found


def serve(how: Serving, *, ready: Callable[[str], object] | None = None) -> None:
    """Until SIGINT or SIGTERM, then drain."""
    app = load_app(how.target)
    app.serve(how.host, how.port, how.threads, grace_s=how.grace_s, ready=ready, **how.settings)


def serve_reloading(how: Serving) -> None:
    """The same in a child process, which is started again when a module that it has loaded changes."""
    if how.port == 0:
        from headrace.servers.base import free_port

        how = replace(how, port=free_port())
    command = [sys.executable, "-c", f"from headrace.http.serving import Serving, child; child({how!r})"]
    with StopSignal() as stop:
        while not stop.requested:
            process = subprocess.Popen(command)
            waiter = threading.Thread(target=_tell_when_ended, args=(process, stop), daemon=True)
            waiter.start()
            stop.wait()
            if stop.requested and process.poll() is None:
                process.send_signal(signal.SIGTERM)
            waiter.join()
            if not stop.requested and process.returncode != RELOAD:
                raise HeadraceError(f"{how.target} ended with status {process.returncode}")


def _tell_when_ended(process: subprocess.Popen[bytes], stop: StopSignal) -> None:
    process.wait()
    stop.wake()


def child(how: Serving) -> None:
    """Serves until a signal or a change; exits with RELOAD after a change. A module that fails waits for its change."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    try:
        app = load_app(how.target)
    except InvalidArgument as error:
        print(f"headrace: {error}", file=sys.stderr, flush=True)
        sys.exit(2)
    except Exception:
        traceback.print_exc()
        _wait_for_change(snapshot(_files()))
        sys.exit(RELOAD)
    watcher = threading.Thread(target=_stop_at_change, args=(snapshot(_files()),), daemon=True)
    watcher.start()

    def ready(url: str) -> None:
        print(f"headrace: serving {how.target} on {url}", file=sys.stderr, flush=True)

    app.serve(how.host, how.port, how.threads, grace_s=how.grace_s, ready=ready, **how.settings)
    sys.exit(RELOAD if _changes.is_set() else 0)


_changes = threading.Event()


def _stop_at_change(before: dict[Path, int]) -> None:
    _wait_for_change(before)
    _changes.set()
    os.kill(os.getpid(), signal.SIGTERM)


def _wait_for_change(before: dict[Path, int]) -> None:
    while not changed(before):
        threading.Event().wait(LOOK_EVERY_S)


def _files() -> Iterator[Path]:
    """Of the modules that are loaded, without those of Python and of installed packages; and what failed to load."""
    installed = (sys.prefix, sys.base_prefix)
    for module in list(sys.modules.values()):
        name = getattr(module, "__file__", None)
        if name and name.endswith(".py") and not name.startswith(installed):
            yield Path(name)
    for folder in (Path(entry or ".") for entry in sys.path[:2]):
        with contextlib.suppress(OSError):
            yield from folder.glob("*.py")


def snapshot(files: Iterable[Path]) -> dict[Path, int]:
    """When each was last written, in ns; 0 for one that is not there."""
    return {file: _written(file) for file in files}


def changed(before: dict[Path, int]) -> bool:
    """Whether one of them has been written or removed since."""
    return any(_written(file) != when for file, when in before.items())


def _written(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
