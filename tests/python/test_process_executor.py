"""ProcessExecutor is a concurrent.futures.Executor whose workers are fresh interpreters (issue 5)."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import exec_helpers as helpers
import numpy as np
import pytest
from thread_helpers import in_threads

from headrace import errors
from headrace.exec import Future, ProcessExecutor

WAIT = 60


@pytest.fixture(scope="module")
def executor() -> Iterator[ProcessExecutor]:
    with ProcessExecutor(2) as executor:
        yield executor


def test_submit_gives_a_standard_future(executor: ProcessExecutor) -> None:
    future = executor.submit(helpers.add, 1, right=2)
    assert isinstance(future, concurrent.futures.Future)
    assert isinstance(future, Future)
    assert future.result(WAIT) == 3
    assert future.done()
    assert not future.cancelled()
    assert not future.running()
    assert future.exception() is None


def test_map_keeps_the_order(executor: ProcessExecutor) -> None:
    assert list(executor.map(helpers.add, range(300), range(300), timeout=WAIT)) == [2 * n for n in range(300)]


@pytest.mark.parametrize("chunksize", [1, 7, 1000])
def test_map_in_chunks_gives_the_same(executor: ProcessExecutor, chunksize: int) -> None:
    assert list(executor.map(helpers.echo, range(20), chunksize=chunksize)) == list(range(20))


def test_calls_run_in_other_processes(executor: ProcessExecutor) -> None:
    pids = {executor.submit(helpers.process_id).result(WAIT) for _ in range(5)}
    assert os.getpid() not in pids
    assert pids <= set(executor.pids())


def test_lambdas_closures_partials_and_bound_methods_work(executor: ProcessExecutor) -> None:
    base = 40
    assert executor.submit(lambda x: x + base, 2).result(WAIT) == 42
    assert executor.submit(functools.partial(helpers.add, 40), right=2).result(WAIT) == 42
    assert executor.submit("a,b".split, ",").result(WAIT) == ["a", "b"]
    assert executor.submit([3, 1, 2].__len__).result(WAIT) == 3
    assert executor.submit(int, "7").result(WAIT) == 7


def test_a_function_by_value_sees_the_values_of_its_call(executor: ProcessExecutor) -> None:
    box = [1]
    by_value = lambda: box[0]  # noqa: E731
    assert executor.submit(by_value).result(WAIT) == 1
    box[0] = 2
    assert executor.submit(by_value).result(WAIT) == 2


def test_functions_and_classes_of_main_go_by_value(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import dataclasses, headrace.exec\n"
        "factor = 2\n"
        "@dataclasses.dataclass\n"
        "class Point:\n"
        "    x: int\n"
        "def double(p): return Point(p.x * factor)\n"
        "executor = headrace.exec.ProcessExecutor(1)\n"  # no `if __name__` guard: workers do not import the program
        "print(executor.submit(double, Point(21)).result(60) == Point(42))\n"
        "factor = 3\n"
        "print(executor.submit(double, Point(21)).result(60).x)\n"
    )
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=WAIT, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("True\n63\n", "", 0)


def test_exceptions_come_back_with_the_workers_traceback(executor: ProcessExecutor) -> None:
    future = executor.submit(helpers.fail, "no such thing")
    error = future.exception(WAIT)
    assert isinstance(error, ValueError)
    assert "in fail" in str(error.__cause__)
    with pytest.raises(ValueError, match="no such thing"):
        future.result()


def test_an_exception_that_cannot_be_made_again_is_described(executor: ProcessExecutor) -> None:
    with pytest.raises(RuntimeError, match="Awkward: 1 and 2"):
        executor.submit(helpers.raise_awkward).result(WAIT)


def test_large_bytes_there_and_back(executor: ProcessExecutor) -> None:
    for size in (0, 1, 65_535, 65_536, 3_000_000):
        data = os.urandom(size)
        back = executor.submit(helpers.echo, data).result(WAIT)
        assert type(back) is bytes
        assert back == data
    assert executor.submit(helpers.echo, bytearray(b"x" * 100_000)).result(WAIT) == bytearray(b"x" * 100_000)
    nested = {"deep": [b"y" * 200_000]}
    assert executor.submit(helpers.echo, nested).result(WAIT) == nested


def test_large_bytes_are_bytes_in_the_worker_whatever_is_done_with_them(executor: ProcessExecutor) -> None:
    data = os.urandom(300_000)
    assert executor.submit(helpers.describe_bytes, data).result(WAIT) == ("bytes", len(data), hash(data) is not None)
    assert executor.submit(helpers.reverse, data).result(WAIT) == data[::-1]
    kept = [executor.submit(helpers.keep_and_return, data + bytes([n])) for n in range(40)]
    assert all(f.result(WAIT) == data + bytes([n]) for n, f in enumerate(kept))
    for _ in range(10):  # what a worker kept stays whole while slabs are used again
        executor.submit(helpers.echo, os.urandom(300_000)).result(WAIT)
    with ProcessExecutor(1) as alone:
        for n in range(5):
            alone.submit(helpers.remember, data + bytes([n])).result(WAIT)
            alone.submit(helpers.echo, os.urandom(300_001)).result(WAIT)
        assert alone.submit(helpers.what_is_remembered).result(WAIT) == [data + bytes([n]) for n in range(5)]


def test_arrays_arrive_without_a_copy_and_stay_whole(executor: ProcessExecutor) -> None:
    arrays = [np.full(100_000, n, dtype=np.int64) for n in range(20)]
    back = [executor.submit(helpers.echo, array).result(WAIT) for array in arrays]
    for sent, received in zip(arrays, back, strict=True):
        assert np.array_equal(sent, received), "a slab was used again while somebody looked at it"
        assert not received.flags.owndata
    back[0][0] = 7  # it is ours
    assert back[1][0] == 1


def test_wait_and_as_completed_take_the_futures(executor: ProcessExecutor) -> None:
    futures = [executor.submit(helpers.echo, n) for n in range(50)]
    assert {f.result() for f in concurrent.futures.as_completed(futures, timeout=WAIT)} == set(range(50))
    more = [executor.submit(helpers.echo, n) for n in range(50)]
    done, left = concurrent.futures.wait(more, timeout=WAIT)
    assert (len(done), len(left)) == (50, 0)


def test_who_looks_while_futures_finish_sees_each_of_them_once(executor: ProcessExecutor) -> None:
    for _ in range(150):  # the moment between done and told is short
        futures = [executor.submit(helpers.echo, n) for n in range(8)]
        assert sorted(f.result() for f in concurrent.futures.as_completed(futures, timeout=WAIT)) == list(range(8))


def test_callbacks_are_called_once_and_may_raise(executor: ProcessExecutor, caplog: pytest.LogCaptureFixture) -> None:
    told = threading.Event()
    seen: list[object] = []

    def note(future: concurrent.futures.Future[object]) -> None:
        seen.append(future.result())
        told.set()

    def boom(_: object) -> None:
        raise KeyError("of the callback")

    future = executor.submit(helpers.burn, 0.05)
    future.add_done_callback(boom)
    future.add_done_callback(note)
    assert told.wait(WAIT)
    future.add_done_callback(note)  # done already: at once, here
    assert seen == [None, None]
    assert "exception calling callback" in caplog.text


def test_asyncio_awaits_them(executor: ProcessExecutor) -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        many = [loop.run_in_executor(executor, helpers.echo, n) for n in range(100)]
        wrapped = asyncio.wrap_future(executor.submit(helpers.echo, 100))
        return await asyncio.gather(*many, wrapped)

    assert asyncio.run(main()) == list(range(101))


def test_asyncio_cancels_what_has_not_begun() -> None:
    async def main(executor: ProcessExecutor) -> None:
        loop = asyncio.get_running_loop()
        first = loop.run_in_executor(executor, helpers.echo, 1)
        waiting = loop.run_in_executor(executor, helpers.echo, 2)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await first == 1

    with ProcessExecutor(1) as executor:
        asyncio.run(main(executor))
        assert executor.stats().cancelled == 1


def test_initializer_runs_in_every_worker_and_teardown_at_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    teardown = functools.partial(helpers.append_line, str(log), "down")
    with ProcessExecutor(1, initializer=helpers.remember, initargs=("warm",), teardown=teardown) as executor:
        assert executor.submit(helpers.what_is_remembered).result(WAIT) == ["warm"]
    assert log.read_text() == "down\n"


def test_prestart_has_workers_ready_before_the_first_call() -> None:
    with ProcessExecutor(2, prestart=2) as executor:
        assert executor.stats().workers_started == 2


def test_shutdown_refuses_and_cancels() -> None:
    executor = ProcessExecutor(1)
    running = executor.submit(helpers.echo, 1)
    waiting = [executor.submit(helpers.echo, n) for n in range(20)]
    executor.shutdown(cancel_futures=True)
    assert running.cancelled() or running.result(WAIT) == 1
    assert all(f.cancelled() or f.result() == n for n, f in enumerate(waiting))
    assert any(f.cancelled() for f in waiting)
    with pytest.raises(RuntimeError, match="shut down"):
        executor.submit(helpers.echo, 1)
    assert executor.closed
    assert repr(executor) == "<headrace.exec.ProcessExecutor 'process executor' shut down>"


def test_leaving_the_with_block_finishes_what_was_accepted() -> None:
    with ProcessExecutor(2) as executor:
        futures = [executor.submit(helpers.echo, n) for n in range(100)]
    assert [f.result(0) for f in futures] == list(range(100))


def test_the_interpreter_finishes_what_was_accepted(tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = (
        "from headrace.exec import ProcessExecutor; import exec_helpers as helpers\n"
        "executor = ProcessExecutor(1)\n"
        f"for n in range(3): executor.submit(helpers.append_line, {str(log)!r}, str(n))\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=WAIT, cwd=Path(__file__).parent)
    assert log.read_text() == "0\n1\n2\n"


def test_a_bounded_queue_refuses_or_waits() -> None:
    with ProcessExecutor(1, max_queue_size=1, on_full="reject") as executor:
        accepted = executor.submit(helpers.echo, 1)  # waits: the worker starts
        with pytest.raises(errors.QueueFull):
            executor.submit(helpers.echo, 2)
        assert accepted.result(WAIT) == 1
    with ProcessExecutor(1, max_queue_size=1, window=1) as executor:
        assert [f.result(WAIT) for f in [executor.submit(helpers.echo, n) for n in range(30)]] == list(range(30))


def test_drop_oldest_fails_the_one_that_waited_longest() -> None:
    with ProcessExecutor(1, max_queue_size=1, on_full="drop_oldest") as executor:
        first, second = executor.submit(helpers.echo, 1), executor.submit(helpers.echo, 2)
        with pytest.raises(errors.QueueFull, match="dropped for a newer"):
            first.result(WAIT)
        assert second.result(WAIT) == 2


def test_many_threads_share_an_executor(executor: ProcessExecutor) -> None:
    wrong: list[object] = []

    def work(number: int) -> None:
        for n in range(100):
            value = executor.submit(helpers.echo, (number, n)).result(WAIT)
            if value != (number, n):
                wrong.append(value)

    in_threads(4, work)
    assert wrong == []


def test_result_times_out_and_the_call_goes_on() -> None:
    with ProcessExecutor(1) as executor:
        future = executor.submit(helpers.burn, 0.3)
        with pytest.raises(concurrent.futures.TimeoutError):
            future.result(0.01)
        assert future.result(WAIT) is None


@pytest.mark.parametrize(
    "settings",
    [{"max_workers": 0}, {"window": 0}, {"max_queue_size": 0}, {"on_full": "explode"}, {"deadline": 0.0}],
)
def test_settings_outside_their_range_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(errors.InvalidArgument, match=next(iter(settings))):
        ProcessExecutor(**settings)  # type: ignore[arg-type]
