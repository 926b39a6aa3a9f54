"""The thread that owns an event loop, and its native inbox: functions from any thread run in real Tasks."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from thread_helpers import in_threads

from headrace._loop import LoopThread
from headrace.errors import Closed, InvalidArgument

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


@pytest.fixture(params=["asyncio", "uvloop"])
def thread(request: pytest.FixtureRequest) -> Iterator[LoopThread]:
    one = LoopThread(loop=request.param)
    one.start()
    yield one
    one.stop()


async def echo(value: Any) -> Any:
    return value


async def echo_later(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


@pytest.mark.parametrize("function", [echo, echo_later])
def test_results_come_back(thread: LoopThread, function: Any) -> None:
    futures = [thread.inbox.submit(function, n) for n in range(5000)]
    assert [f.result(10) for f in futures] == list(range(5000))


def test_errors_come_back_with_their_traceback(thread: LoopThread) -> None:
    async def fail() -> None:
        raise ValueError("no")

    for _ in range(3):
        with pytest.raises(ValueError, match="no") as caught:
            thread.inbox.submit(fail).result(10)
        assert caught.traceback[-1].name == "fail"


def test_what_is_no_coroutine_is_an_error(thread: LoopThread) -> None:
    with pytest.raises(TypeError, match="a coroutine was expected, got int"):
        thread.inbox.submit(lambda: 7).result(10)
    assert thread.inbox.submit(echo, 1).result(10) == 1


def test_many_threads_submit_at_once(thread: LoopThread) -> None:
    got: list[list[int]] = [[] for _ in range(8)]

    def work(n: int) -> None:
        got[n] = [thread.inbox.submit(echo, n * 1000 + i).result(10) for i in range(200)]

    in_threads(8, work)
    assert got == [[n * 1000 + i for i in range(200)] for n in range(8)]


def test_each_coroutine_runs_in_a_task_of_its_loop(thread: LoopThread) -> None:
    async def look() -> tuple[bool, bool]:
        task = asyncio.current_task()
        return isinstance(task, asyncio.Task), task in asyncio.all_tasks()

    for _ in range(3):
        assert thread.inbox.submit(look).result(10) == (True, True)


def test_each_coroutine_has_a_context_of_its_own(thread: LoopThread) -> None:
    async def mark(text: str) -> tuple[str, str]:
        before = variable.get()
        variable.set(text)
        await asyncio.sleep(0)
        return before, variable.get()

    for n in range(5):
        assert thread.inbox.submit(mark, str(n)).result(10) == ("unset", str(n))


def test_a_task_that_nobody_holds_is_used_again(thread: LoopThread) -> None:
    seen: set[int] = set()

    async def note() -> None:
        seen.add(id(asyncio.current_task()))

    for _ in range(20):
        thread.inbox.submit(note).result(10)
    assert len(seen) == 1


def test_tasks_that_others_hold_are_not_used_again(thread: LoopThread) -> None:
    held: list[asyncio.Task[Any]] = []

    async def hold() -> None:
        task = asyncio.current_task()
        assert task is not None
        held.append(task)

    for _ in range(5):
        thread.inbox.submit(hold).result(10)
    assert thread.inbox.submit(echo_later, 1).result(10) == 1
    assert len(set(map(id, held))) == 5
    assert all(task.done() for task in held)


def test_a_cancel_that_comes_too_late_reaches_nobody_else(thread: LoopThread) -> None:
    held: list[asyncio.Task[Any]] = []

    async def hold() -> None:
        task = asyncio.current_task()
        assert task is not None
        held.append(task)

    async def cancel_the_held_one() -> str:
        held[0].cancel()
        await asyncio.sleep(0)
        return "unharmed"

    thread.inbox.submit(hold).result(10)
    assert thread.inbox.submit(cancel_the_held_one).result(10) == "unharmed"


def test_done_callbacks_of_the_task_are_called(thread: LoopThread) -> None:
    called = threading.Event()

    async def watch() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(lambda _: called.set())

    thread.inbox.submit(watch).result(10)
    assert called.wait(10)


def test_a_cancelled_future_cancels_the_task(thread: LoopThread) -> None:
    begun, cancelled = threading.Event(), threading.Event()

    async def wait() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    for _ in range(3):
        begun.clear()
        cancelled.clear()
        future = thread.inbox.submit(wait)
        assert begun.wait(10)
        assert future.cancel()
        assert cancelled.wait(10)
    assert thread.inbox.submit(echo, 1).result(10) == 1


def test_a_coroutine_that_cancels_itself_and_goes_on_spoils_no_other(thread: LoopThread) -> None:
    async def cancel_and_return() -> str:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return "returned"

    for _ in range(3):
        assert thread.inbox.submit(cancel_and_return).result(10) == "returned"
        assert thread.inbox.submit(echo_later, 1).result(10) == 1


def test_idle_tasks_can_be_cancelled(thread: LoopThread) -> None:
    async def cancel_all() -> int:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        idle = [t for t in others if t.get_coro().__name__ == "headrace job"]
        for task in idle:
            task.cancel()
        await asyncio.gather(*idle, return_exceptions=True)
        assert all(t.cancelled() for t in idle)
        return len(idle)

    for f in [thread.inbox.submit(echo_later, n) for n in range(20)]:
        f.result(10)
    assert thread.inbox.submit(cancel_all).result(10) > 0
    assert thread.inbox.submit(echo, 1).result(10) == 1


def test_task_groups_and_timeouts_work(thread: LoopThread) -> None:
    async def several() -> list[int]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(echo_later(n)) for n in range(3)]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        return [t.result() for t in tasks]

    for _ in range(3):
        assert thread.inbox.submit(several).result(10) == [0, 1, 2]


def test_after_the_end_of_the_loop_submit_is_refused(thread: LoopThread) -> None:
    inbox = thread.inbox
    never = inbox.submit(asyncio.Event().wait)
    thread.stop()
    with pytest.raises(asyncio.CancelledError):
        never.result(10)
    with pytest.raises(Closed):
        inbox.submit(echo, 1).result(10)
    assert inbox.closed
    gc.collect()


def test_an_unknown_loop_is_an_error() -> None:
    with pytest.raises(InvalidArgument, match="auto, asyncio, uvloop"):
        LoopThread(loop="twisted")


def test_run_gives_the_result_of_a_coroutine(thread: LoopThread) -> None:
    assert thread.run(echo_later(3), timeout=10) == 3
    thread.stop()
    with pytest.raises(Closed):
        thread.run(echo(1))
