"""Workers that die, hang, leak, print, and lie: only their own call suffers (issue 5, bad luck)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import exec_helpers as helpers
import psutil
import pytest

from headrace import errors
from headrace.exec import ProcessExecutor

WAIT = 60
HERE = Path(__file__).parent


@pytest.mark.parametrize(
    ("call", "arguments", "reason"),
    [
        (helpers.kill_myself, (), "killed by signal 9"),
        (helpers.exit_with, (0,), "exited with status 0"),
        (helpers.exit_with, (3,), "exited with status 3"),
        (helpers.write_to_channel, (), "wrote to its channel what is no message"),
    ],
)
def test_a_worker_that_dies_loses_its_own_call_and_no_other(
    call: Callable[..., object], arguments: tuple[object, ...], reason: str
) -> None:
    with ProcessExecutor(2) as executor:
        assert list(executor.map(helpers.echo, range(20))) == list(range(20))
        bad = executor.submit(call, *arguments)
        others = [executor.submit(helpers.echo, n) for n in range(200)]
        with pytest.raises(errors.WorkerLost, match=reason):
            bad.result(WAIT)
        assert [f.result(WAIT) for f in others] == list(range(200))
        assert executor.stats().lost == 1


def test_a_worker_killed_from_outside_is_replaced() -> None:
    with ProcessExecutor(1) as executor:
        pid = executor.submit(helpers.process_id).result(WAIT)
        os.kill(pid, signal.SIGKILL)
        assert executor.submit(helpers.process_id).result(WAIT) != pid


@pytest.mark.parametrize("call", [helpers.hang, helpers.hang_stubbornly])
def test_a_worker_that_hangs_is_stopped_at_the_deadline(call: Callable[[], None]) -> None:
    with ProcessExecutor(1, kill_grace_s=0.1) as executor:
        pid = executor.submit(helpers.process_id).result(WAIT)
        hung = executor.apply(call, deadline=0.2)
        after = executor.submit(helpers.echo, "after")
        start = time.monotonic()
        with pytest.raises(errors.DeadlineExceeded, match="its worker was stopped"):
            hung.result(WAIT)
        assert time.monotonic() - start < 5
        assert after.result(WAIT) == "after"
        executor.shutdown()
        assert not psutil.pid_exists(pid)


def test_an_executors_own_deadline_counts_for_every_call() -> None:
    with ProcessExecutor(1, deadline=0.2) as executor:
        executor.apply(helpers.echo, (1,), deadline=WAIT).result(WAIT)
        with pytest.raises(TimeoutError):
            executor.submit(helpers.hang).result(WAIT)


def test_a_late_answer_never_reaches_another_call() -> None:
    with ProcessExecutor(1, kill_grace_s=5) as executor:
        executor.submit(helpers.echo, 0).result(WAIT)
        for n in range(5):
            late = executor.apply(helpers.burn, (0.15,), deadline=0.05)  # it would answer None soon after
            with pytest.raises(errors.DeadlineExceeded):
                late.result(WAIT)
            assert executor.submit(helpers.echo, n).result(WAIT) == n


def test_what_workers_print_stays_out_of_the_channel(capfd: pytest.CaptureFixture[str]) -> None:
    with ProcessExecutor(1) as executor:
        assert executor.submit(helpers.print_everywhere).result(WAIT) == "done"
        assert executor.submit(helpers.echo, 1).result(WAIT) == 1
    out, err = capfd.readouterr()
    assert out == "printed\nwritten\n"
    assert err == "written too\n"


def test_a_worker_that_grows_is_replaced() -> None:
    with ProcessExecutor(1, max_memory=150 * 2**20) as executor:
        first = executor.submit(helpers.grow, 200).result(WAIT)
        deadline = time.monotonic() + WAIT
        while executor.submit(helpers.process_id).result(WAIT) == first:
            assert time.monotonic() < deadline, "the leaking worker stayed"
        stats = executor.stats()
        assert stats.workers_recycled >= 1
        assert stats.workers_crashed == 0


def test_a_worker_is_replaced_after_so_many_calls() -> None:
    with ProcessExecutor(1, max_tasks_per_worker=5) as executor:
        pids = [executor.submit(helpers.process_id).result(WAIT) for _ in range(20)]
    assert len(set(pids)) == 4


def test_workers_that_crash_at_their_start_trip_the_breaker_and_it_recovers(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb"
    bomb.touch()
    with ProcessExecutor(
        2, initializer=helpers.die_once, initargs=(str(bomb),), breaker_failures=2, breaker_reset_s=0.2
    ) as executor:
        with pytest.raises(
            errors.WorkerLost, match=r"gave up after \d workers in a row: a worker was killed by signal 11"
        ):
            executor.submit(helpers.echo, 1).result(WAIT)
        with pytest.raises(errors.WorkerLost, match="gave up"):
            executor.submit(helpers.echo, 1).result(WAIT)
        bomb.unlink()
        end = time.monotonic() + WAIT
        while True:
            try:
                assert executor.submit(helpers.echo, 2).result(WAIT) == 2
                break
            except errors.WorkerLost:
                assert time.monotonic() < end


def test_an_initializer_that_raises_says_so() -> None:
    with (
        ProcessExecutor(1, initializer=helpers.fail, initargs=("no licence",)) as executor,
        pytest.raises(errors.WorkerLost, match=r"could not start.*ValueError: no licence"),
    ):
        executor.submit(helpers.echo, 1).result(WAIT)


def test_what_cannot_be_pickled_fails_in_its_future() -> None:
    with ProcessExecutor(1) as executor:
        argument = executor.submit(helpers.add, 1, helpers.Unpicklable())  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="I stay here") as raised:
            argument.result(WAIT)
        assert raised.value.__notes__ == ["while sending add(...) to a worker process: argument 1 cannot be pickled"]
        with pytest.raises(TypeError, match="I stay here"):
            executor.submit(helpers.make_unpicklable).result(WAIT)
        with pytest.raises(ValueError, match="broken on arrival"):
            executor.submit(helpers.echo, helpers.BreaksOnArrival()).result(WAIT)
        assert executor.submit(helpers.echo, 1).result(WAIT) == 1
        assert executor.stats().workers_crashed == 0


def test_a_child_of_fork_is_refused_and_the_parent_goes_on() -> None:
    program = (
        "import os, headrace.errors\n"
        "from headrace.exec import ProcessExecutor\n"
        "executor = ProcessExecutor(1)\n"
        "future = executor.submit(pow, 2, 3)\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    try:\n"
        "        executor.submit(pow, 2, 3)\n"
        "    except headrace.errors.Forked:\n"
        "        own = ProcessExecutor(1)\n"
        "        ok = own.submit(pow, 2, 5).result(60) == 32\n"
        "        own.shutdown()\n"
        "        try:\n"
        "            future.result(5)\n"
        "        except headrace.errors.Forked:\n"
        "            os._exit(0 if ok else 1)\n"
        "    os._exit(2)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), future.result(60))\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=WAIT)
    assert (done.stdout, done.stderr) == ("0 8\n", "")


def test_workers_die_with_their_parent() -> None:
    program = (
        "import os, signal, sys\n"
        "from headrace.exec import ProcessExecutor\n"
        "import exec_helpers as helpers\n"
        "executor = ProcessExecutor(2)\n"
        "executor.submit(helpers.hang); executor.submit(helpers.hang_stubbornly)\n"
        "while len(executor.pids()) < 2 or executor.stats().running < 2: pass\n"
        "print(*executor.pids(), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=WAIT, cwd=HERE)
    pids = [int(word) for word in done.stdout.split()]
    assert len(pids) == 2
    _, alive = psutil.wait_procs([psutil.Process(p) for p in pids if psutil.pid_exists(p)], timeout=10)
    assert alive == []


def test_ctrl_c_ends_a_wait_within_a_tenth_of_a_second() -> None:
    program = (
        "import os, signal, threading, time\n"
        "from headrace.exec import ProcessExecutor\n"
        "import exec_helpers as helpers\n"
        "executor = ProcessExecutor(1)\n"
        "executor.submit(helpers.echo, 1).result(60)\n"
        "future = executor.submit(helpers.hang)\n"
        "sent = []\n"
        "def interrupt():\n"
        "    sent.append(time.monotonic()); os.killpg(0, signal.SIGINT)\n"
        "threading.Timer(0.3, interrupt).start()\n"
        "try:\n"
        "    future.result()\n"
        "except KeyboardInterrupt:\n"
        "    print(time.monotonic() - sent[0] < 0.1, executor.stats().workers)\n"
        "executor.kill_workers()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=WAIT,
        cwd=HERE,
        start_new_session=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("True 1\n", "")


def test_killing_the_workers_fails_what_runs_and_cancels_what_waits() -> None:
    executor = ProcessExecutor(1)
    executor.submit(helpers.echo, 1).result(WAIT)
    running = executor.submit(helpers.hang)
    waiting = executor.submit(helpers.echo, 1)
    executor.kill_workers()
    with pytest.raises(errors.WorkerLost):
        running.result(0)
    assert waiting.cancelled() or isinstance(waiting.exception(), errors.WorkerLost)
