"""ThreadExecutor is a concurrent.futures.Executor of threads with a bounded queue (issue 5)."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import threading
import weakref
from collections.abc import Iterator

import exec_helpers as helpers
import pytest
from thread_helpers import in_threads

from headrace import errors
from headrace.exec import ThreadExecutor

WAIT = 60


@pytest.fixture
def executor() -> Iterator[ThreadExecutor]:
    with ThreadExecutor(4) as executor:
        yield executor


class Blocked:
    """Occupies threads until it is opened."""

    def __init__(self, executor: ThreadExecutor, threads: int) -> None:
        self.open = threading.Event()
        self.begun = threading.Barrier(threads + 1)
        self.futures = [executor.submit(self._wait) for _ in range(threads)]
        self.begun.wait(WAIT)

    def _wait(self) -> str:
        self.begun.wait(WAIT)
        assert self.open.wait(WAIT)
        return "opened"


def test_submit_and_map(executor: ThreadExecutor) -> None:
    future = executor.submit(helpers.add, 1, right=2)
    assert isinstance(future, concurrent.futures.Future)
    assert future.result(WAIT) == 3
    assert list(executor.map(helpers.echo, range(1000))) == list(range(1000))
    with pytest.raises(ValueError, match="as it was"):
        executor.submit(helpers.fail, "as it was").result(WAIT)


def test_calls_that_block_run_side_by_side(executor: ThreadExecutor) -> None:
    blocked = Blocked(executor, 4)  # would never begin otherwise
    waiting = executor.submit(helpers.echo, 1)
    assert not waiting.done()
    assert blocked.futures[0].running()
    blocked.open.set()
    assert waiting.result(WAIT) == 1


def test_what_waits_can_be_cancelled_and_what_runs_cannot(executor: ThreadExecutor) -> None:
    blocked = Blocked(executor, 4)
    waiting = executor.submit(helpers.echo, 1)
    assert waiting.cancel()
    assert waiting.cancelled()
    assert not blocked.futures[0].cancel()
    blocked.open.set()
    with pytest.raises(concurrent.futures.CancelledError):
        waiting.result(WAIT)
    assert executor.stats().cancelled == 1


def test_a_deadline_counts_until_a_call_begins(executor: ThreadExecutor) -> None:
    blocked = Blocked(executor, 4)
    late = executor.apply(helpers.echo, (1,), deadline=0.02)
    told = threading.Event()
    watched = executor.apply(helpers.echo, (1,), deadline=0.02)
    watched.add_done_callback(lambda _: told.set())
    with pytest.raises(errors.DeadlineExceeded):
        late.result(WAIT)
    assert told.wait(WAIT), "nobody waited for it but the callback"
    blocked.open.set()
    assert executor.stats().timed_out == 2


def test_a_full_queue_refuses_or_waits() -> None:
    with ThreadExecutor(1, max_queue_size=1, on_full="reject") as executor:
        blocked = Blocked(executor, 1)
        executor.submit(helpers.echo, 1)
        with pytest.raises(errors.QueueFull):
            executor.submit(helpers.echo, 2)
        blocked.open.set()
    with ThreadExecutor(1, max_queue_size=1) as executor:
        assert [f.result(WAIT) for f in [executor.submit(helpers.echo, n) for n in range(100)]] == list(range(100))


def test_initializer_runs_once_per_thread_and_its_error_is_every_calls() -> None:
    names: list[str] = []
    with ThreadExecutor(2, initializer=lambda: names.append(helpers.thread_name())) as executor:
        blocked = Blocked(executor, 2)
        blocked.open.set()
        list(executor.map(helpers.echo, range(100)))
    assert len(names) == 2
    with ThreadExecutor(1, initializer=helpers.fail, initargs=("no licence",)) as executor:
        for _ in range(2):
            with pytest.raises(ValueError, match="no licence"):
                executor.submit(helpers.echo, 1).result(WAIT)


def test_wait_as_completed_and_callbacks(executor: ThreadExecutor) -> None:
    futures = [executor.submit(helpers.echo, n) for n in range(100)]
    assert {f.result() for f in concurrent.futures.as_completed(futures, timeout=WAIT)} == set(range(100))
    blocked = Blocked(executor, 4)
    done, left = concurrent.futures.wait(blocked.futures, timeout=0.01)
    assert (len(done), len(left)) == (0, 4)
    blocked.open.set()
    done, left = concurrent.futures.wait(blocked.futures, timeout=WAIT)
    assert (len(done), len(left)) == (4, 0)


def test_who_looks_while_futures_finish_sees_each_of_them_once(executor: ThreadExecutor) -> None:
    for _ in range(300):  # the moment between done and told is short
        futures = [executor.submit(helpers.echo, n) for n in range(8)]
        assert sorted(f.result() for f in concurrent.futures.as_completed(futures, timeout=WAIT)) == list(range(8))


def test_asyncio_awaits_them(executor: ThreadExecutor) -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        return await asyncio.gather(*(loop.run_in_executor(executor, helpers.echo, n) for n in range(200)))

    assert asyncio.run(main()) == list(range(200))


def test_shutdown_runs_or_cancels_what_waits() -> None:
    executor = ThreadExecutor(1)
    blocked = Blocked(executor, 1)
    waiting = executor.submit(helpers.echo, 1)
    executor.shutdown(wait=False, cancel_futures=True)
    assert waiting.cancelled()
    blocked.open.set()
    executor.shutdown()
    assert blocked.futures[0].result(0) == "opened"
    with pytest.raises(RuntimeError, match="shut down"):
        executor.submit(helpers.echo, 1)


def test_results_and_arguments_are_let_go_of(executor: ThreadExecutor) -> None:
    class Thing:
        pass

    thing = Thing()
    gone = weakref.ref(thing)
    future = executor.submit(helpers.echo, thing)
    assert future.result(WAIT) is thing
    del thing, future
    list(executor.map(helpers.echo, range(10)))
    gc.collect()
    assert gone() is None


def test_many_threads_submit_at_once(executor: ThreadExecutor) -> None:
    wrong: list[object] = []

    def work(number: int) -> None:
        for n in range(300):
            value = executor.submit(helpers.echo, (number, n)).result(WAIT)
            if value != (number, n):
                wrong.append(value)

    in_threads(4, work)
    assert wrong == []
    stats = executor.stats()
    assert (stats.submitted, stats.completed) == (1200, 1200)


@pytest.mark.parametrize(
    "settings", [{"max_workers": 0}, {"max_queue_size": 0}, {"on_full": "drop_oldest"}, {"deadline": -1.0}]
)
def test_settings_outside_their_range_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(errors.InvalidArgument, match=next(iter(settings))):
        ThreadExecutor(**settings)  # type: ignore[arg-type]
