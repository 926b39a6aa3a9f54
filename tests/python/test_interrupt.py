"""Ctrl-C, SIGTERM and SIGKILL in the middle of a run; the programs are fakes, the signals are not."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pexpect
import pytest

from headrace import results

HERE = Path(__file__).parent
SLOW = ["count=100000", "payload=slow"]


def folder_of(out: Path) -> Path:
    (path,) = (p for p in out.iterdir() if p.name.startswith("fake-"))
    return path


def children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_for_rows(out: Path) -> None:
    """Until a producer has recorded something; the test's own timeout ends a vain wait."""
    while not any(path.stat().st_size for path in out.glob("fake-*/segments/*/sent*")):
        time.sleep(0.01)


def start(out: Path, *settings: str) -> subprocess.Popen[str]:
    argv = [sys.executable, str(HERE / "run_with_fakes.py"), str(out), *settings]
    return subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)


def test_ctrl_c_on_a_terminal_closes_the_run_and_leaves_quickly(tmp_path):
    terminal = pexpect.spawn(
        sys.executable, [str(HERE / "run_with_fakes.py"), str(tmp_path), *SLOW], timeout=30, encoding="utf-8"
    )
    terminal.expect("acked [1-9]")
    began = time.monotonic()
    terminal.sendintr()
    terminal.expect(pexpect.EOF)
    terminal.close()

    assert time.monotonic() - began < 3.0
    assert terminal.exitstatus == 130
    assert "Traceback" not in terminal.before
    run = results.load(folder_of(tmp_path))
    assert (run.state, run.verdict) == ("interrupted", "failed")
    assert any("interrupted" in reason for reason in run.reasons)
    assert run.cases[0].summary["sent"] > 0


def test_a_second_ctrl_c_does_not_wait_for_a_program_that_is_deaf(tmp_path):
    with start(tmp_path, "count=100000", "payload=deaf") as runner:
        wait_for_rows(tmp_path)
        runner.send_signal(signal.SIGINT)
        time.sleep(0.2)  # so that the two are not merged into one
        runner.send_signal(signal.SIGINT)
        _, said = runner.communicate(timeout=20)
    assert runner.returncode == 130
    assert "Traceback" not in said
    assert results.load(folder_of(tmp_path)).verdict == "failed"


def test_sigterm_is_as_good_as_ctrl_c(tmp_path):
    with start(tmp_path, *SLOW) as runner:
        wait_for_rows(tmp_path)
        runner.terminate()
        _, said = runner.communicate(timeout=20)
    assert runner.returncode == 130
    assert "Traceback" not in said
    assert results.load(folder_of(tmp_path)).state == "interrupted"


@pytest.mark.parametrize("settings", [SLOW, ["count=100000", "payload=deaf"]], ids=["slow", "deaf"])
def test_a_killed_runner_leaves_no_children_and_a_folder_that_loads(tmp_path, settings):
    with start(tmp_path, *settings) as runner:
        wait_for_rows(tmp_path)
        handles = [os.pidfd_open(pid) for pid in children(runner.pid)]
        runner.kill()
        runner.communicate(timeout=20)
    for handle in handles:
        assert select.select([handle], [], [], 5.0)[0], "a child outlived the runner"
        os.close(handle)
    run = results.load(folder_of(tmp_path))
    assert (run.state, run.verdict) == ("cut", "failed")
    assert run.cases[0].summary["sent"] > 0


def test_a_killed_child_fails_the_case_with_its_name(tmp_path):
    with start(tmp_path, *SLOW) as runner:
        wait_for_rows(tmp_path)
        (child,) = children(runner.pid)
        os.kill(child, signal.SIGKILL)
        runner.communicate(timeout=20)
    assert runner.returncode == 1
    reasons = results.load(folder_of(tmp_path)).reasons
    assert any("was killed by SIGKILL" in reason for reason in reasons)
