"""Tasks count what has finished, across threads and processes, where somebody else can read it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from headrace import experiment
from headrace.errors import InvalidArgument, NotFound
from headrace.experiment.http import tasks

WAITING = [kind for kind, held in tasks.HOLDS_GIL.items() if held is None]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(tasks.ENVIRONMENT, str(tmp_path))
    monkeypatch.setattr(tasks, "_counter", None)
    return tmp_path


@pytest.mark.parametrize("kind", ["file", "hash", "checksum", "cpu", "cpu-nogil"])
def test_a_finished_task_counts_once(folder, kind):
    assert tasks.run(kind) == asyncio.run(tasks.run_async(kind)) == tasks.REPLY
    assert tasks.finished(folder) == 2
    assert [f.suffix for f in folder.iterdir()] == [".count"], "nothing else is left behind"


def test_threads_and_processes_are_added_up(folder):
    threads = [threading.Thread(target=lambda: [tasks.run("hash") for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    program = "from headrace.experiment.http import tasks; [tasks.run('hash') for _ in range(7)]"
    subprocess.run([sys.executable, "-c", program], check=True)
    for thread in threads:
        thread.join()
    assert tasks.finished(folder) == 207


def test_a_task_that_fails_does_not_count(folder):
    with pytest.raises(FileNotFoundError):
        tasks.run("fetch")
    assert tasks.finished(folder) == 0


def test_nothing_is_counted_where_nobody_asked(monkeypatch):
    monkeypatch.delenv(tasks.ENVIRONMENT, raising=False)
    monkeypatch.setattr(tasks, "_counter", None)
    assert tasks.run("hash") == tasks.REPLY
    assert tasks._counter is None


def test_only_what_uses_the_cpu_costs(folder):
    assert {kind: tasks.cost_s(kind) for kind in WAITING} == dict.fromkeys(WAITING, 0.0)
    assert tasks.cost_s("hash") < tasks.cost_s("cpu", times=3)
    assert tasks.finished(folder) == 0


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ({"executor": "native", "task": "cpu"}, "executor native has no task 'cpu'"),
        ({"executor": "thread", "awaited": False}, "awaited = false goes with executor process"),
        ({"executor": "coroutine"}, "must be one of sync, inline, thread, process, asyncio, native"),
        ({"keep_alive": 1}, "must be true or false"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(case, message):
    with pytest.raises(InvalidArgument, match=message):
        experiment.plan(experiment.parse_spec({"experiment": {"part": "http"}, "case": [case]}))


def test_a_program_that_is_not_there_is_named(tmp_path):
    spec = experiment.parse_spec({"experiment": {"part": "http"}, "case": [{"server": "no/such.py"}]})
    with pytest.raises(NotFound, match=r"no/such\.py"):
        experiment.run(spec, out=tmp_path, progress=False)
