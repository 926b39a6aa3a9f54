"""The server of a case gets its options, is measured with its children, and leaves nobody behind."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
import pytest

from headrace.errors import ConnectionFailed
from headrace.experiment.http.server import ServerProcess, Tree, command

CASE = {"server": "x.py", "executor": "process", "task": "hash", "workers": 3, "backlog": 5, "awaited": True}

# Listens, with a child that ignores SIGTERM and works for ever.
STUBBORN = """
import os, signal, socket, sys
port = int(next(a for a in sys.argv if a.startswith("--port=")).partition("=")[2])
if os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        sum(range(1000))
listener = socket.create_server(("127.0.0.1", port))
signal.pause()
"""


def test_the_options_of_a_case_are_on_the_command_line():
    said = command(CASE, 8123)
    assert said[1:] == ["x.py", "--port=8123", "--executor=process", "--task=hash", "--workers=3", "--backlog=5"]
    assert command({**CASE, "awaited": False}, 8123)[-1] == "--unawaited"
    assert command({**CASE, "server": "headrace"}, 8123)[1:3] == ["-m", "headrace.experiment.http.app"]


def test_children_are_measured_and_ended_with_the_server(tmp_path: Path):
    program = tmp_path / "stubborn.py"
    program.write_text(STUBBORN)
    with ServerProcess({**CASE, "server": str(program)}, tmp_path) as server:
        tree = Tree(server.pid)
        (child,) = psutil.Process(server.pid).children()
        deadline = time.monotonic() + 30
        before = tree.cpu_s()
        while tree.cpu_s() < before + 0.1:
            assert time.monotonic() < deadline, "the child works, and no CPU is counted"
        assert tree.pss() > 1_000_000
        assert os.getpgid(child.pid) == server.pid
    gone, _ = psutil.wait_procs([child], timeout=10)
    assert gone == [child]
    assert tree.pss() == 0


def test_a_server_that_ends_at_once_is_an_error_with_its_last_words(tmp_path: Path):
    program = tmp_path / "broken.py"
    program.write_text("raise SystemExit('the disk is full')\n")
    with pytest.raises(ConnectionFailed, match="the server did not come up: the disk is full"):
        ServerProcess({**CASE, "server": str(program)}, tmp_path).__enter__()
