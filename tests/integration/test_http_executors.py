"""The seed's servers and its benchmark, run as the seed runs them, on free ports."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from headrace.experiment.http.server import await_listening
from headrace.servers.base import free_port

FOLDER = Path(__file__).resolve().parents[2] / "experiments/http_executors"


@contextmanager
def program(name: str, tmp_path: Path) -> Iterator[int]:
    """A copy of the program that listens on a free port; it must end in order when it is told to."""
    port = free_port()
    text, changed = re.subn(r"port=800[0-3]", f"port={port}", (FOLDER / name).read_text())
    assert changed == 1
    copy = tmp_path / name
    copy.write_text(text)
    with subprocess.Popen([sys.executable, str(copy)], stderr=subprocess.PIPE, text=True) as process:
        try:
            await_listening(process, port, lambda: "see its standard error")
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")


def benchmark(port: int) -> tuple[int, dict[str, float], str]:
    """Exit status, siege's figures, everything it said."""
    command = [sys.executable, str(FOLDER / "run_benchmark.py"), f"127.0.0.1:{port}", "--seconds", "1", "--users", "8"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    rows = re.findall(r"^([A-Z][a-z ]+):\s+([\d.]+)", done.stdout, re.MULTILINE)
    return done.returncode, {label: float(value) for label, value in rows}, done.stdout + done.stderr


HONEST = {"1_sync.py": 3.57, "2_async.py": 3.57, "3_thread.py": 14.29, "4_process.py": 14.29}


@pytest.mark.parametrize(("name", "rate"), HONEST.items())
def test_an_honest_server_is_no_faster_than_its_workers(tmp_path, name, rate):
    with program(name, tmp_path) as port:
        status, figures, said = benchmark(port)
    assert status == 0, said
    assert figures["Transaction rate"] < rate + 4.1, "more than what one task per worker at the edges explains"
    assert figures["Availability"] == 100.0
    replies, finished = map(int, re.search(r"Tasks: (\d+) replies, (\d+) tasks finished", said).groups())
    assert finished >= replies > 0


def test_the_published_server_is_found_out(tmp_path):
    with program("4_process_unawaited.py", tmp_path) as port:
        status, figures, said = benchmark(port)
    assert status == 3, said
    assert figures["Transaction rate"] > 100
    assert "replies came before their task had finished" in said


def test_a_server_that_is_not_there_fails():
    status, figures, said = benchmark(free_port())
    assert (status, figures["Transactions"]) == (1, 0.0)
    assert "no request succeeded" in said
    assert "Traceback" not in said
