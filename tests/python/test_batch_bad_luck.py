"""Whatever goes wrong with a batch, every waiter gets a definite outcome, and the batcher goes on."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from batch_helpers import Downstream, eventually, occupied

from headrace.batch import Batcher, identity
from headrace.errors import BadResult, Cancelled, Closed, DeadlineExceeded, Forked, InvalidArgument, QueueFull


def make(returns: Callable[[list[Any]], Any], asynchronous: bool) -> Any:
    """A batch function of either kind that returns, or raises, what ``returns`` does."""
    if not asynchronous:
        return returns

    async def load(items: list[Any]) -> Any:
        await asyncio.sleep(0)
        return returns(items)

    return load


def outcomes(fn: Any, items: list[Any], **settings: Any) -> list[Any]:
    """What each item of one batch came to, and then that the batcher still works."""

    async def main() -> list[Any]:
        async with Batcher(fn, **settings) as b:
            got = await asyncio.gather(*(b(item) for item in items), return_exceptions=True)
            again = await asyncio.gather(b("ok"), return_exceptions=True)
            assert again == ["ok"], again
            return list(got)

    return asyncio.run(main())


def raises(error: BaseException) -> Any:
    raise error


BAD_RETURNS = {
    "too few": (lambda n: [0] * (n - 1), "returned 2 results for 3 items"),
    "too many": (lambda n: [0] * (n + 1), "returned 4 results for 3 items"),
    "None": (lambda n: None, "returned None"),
    "a number": (lambda n: 7, "returned int"),
    "a text": (lambda n: "abc", "returned str"),
    "bytes": (lambda n: b"abc", "returned bytes"),
}


@pytest.mark.parametrize("asynchronous", [False, True], ids=["plain", "async"])
@pytest.mark.parametrize("bad", BAD_RETURNS)
def test_a_result_of_the_wrong_shape_fails_the_batch_and_says_how(bad: str, asynchronous: bool) -> None:
    returns, message = BAD_RETURNS[bad]
    fn = make(lambda items: items if items == ["ok"] else returns(len(items)), asynchronous)
    got = outcomes(fn, [1, 2, 3], name="users")
    assert [type(g) for g in got] == [BadResult] * 3
    for error in got:
        assert message in str(error)
        assert "users" in str(error)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["plain", "async"])
def test_a_missing_key_fails_its_item_and_names_it(asynchronous: bool) -> None:
    fn = make(lambda items: {item: item for item in items if item != 2}, asynchronous)
    got = outcomes(fn, [1, 2, 3])
    assert (got[0], got[2]) == (1, 3)
    assert isinstance(got[1], BadResult)
    assert "no result for the key 2" in str(got[1])


@pytest.mark.parametrize("asynchronous", [False, True], ids=["plain", "async"])
def test_a_function_that_raises_fails_its_batch_with_that_error(asynchronous: bool) -> None:
    error = ValueError("downstream said no")
    fn = make(lambda items: items if items == ["ok"] else raises(error), asynchronous)
    assert outcomes(fn, [1, 2, 3]) == [error] * 3


@pytest.mark.parametrize("asynchronous", [False, True], ids=["plain", "async"])
def test_results_that_raise_while_they_are_read_fail_the_batch(asynchronous: bool) -> None:
    def returns(items: list[Any]) -> Any:
        yield items[0]
        if items != ["ok"]:
            raise LookupError("torn")

    got = outcomes(make(returns, asynchronous), [1, 2])
    assert [str(g) for g in got] == ["torn", "torn"]


def test_stop_iteration_cannot_enter_a_coroutine() -> None:
    got = outcomes(lambda items: items if items == ["ok"] else raises(StopIteration(1)), [1])
    assert isinstance(got[0], RuntimeError)
    assert isinstance(got[0].__cause__, StopIteration)


def test_a_function_that_gives_no_awaitable_after_all() -> None:
    class Liar:
        async def __call__(self, items: list[Any]) -> Any:
            return items

    liar = Liar()
    assert outcomes(liar, [1, 2]) == [1, 2]


def test_a_function_that_is_cancelled_does_not_cancel_its_waiters() -> None:
    async def load(items: list[Any]) -> list[Any]:
        if items != ["ok"]:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)
        return items

    got = outcomes(load, [1, 2])
    assert [type(g) for g in got] == [Cancelled, Cancelled]


def test_a_function_that_never_returns_holds_nobody_beyond_their_deadline() -> None:
    downstream = Downstream()
    b = Batcher(downstream)
    downstream.stop()
    running = b.submit(1, timeout=0.05)
    downstream.wait_entered()
    waiting = b.submit(2, timeout=0.05)
    for future in (running, waiting):
        with pytest.raises(DeadlineExceeded):
            future.result(30)
    assert b.stats().deadline_misses == 2
    downstream.go()
    assert b.submit(3).result() == 6
    b.shutdown()
    assert [2] not in downstream.calls


def test_an_async_function_that_never_returns_holds_nobody_beyond_their_deadline() -> None:
    async def load(items: list[Any]) -> Any:
        await asyncio.get_running_loop().create_future()

    async def main() -> None:
        b = Batcher(load, timeout=0.05)
        got = await asyncio.gather(*(b(i) for i in range(3)), return_exceptions=True)
        assert [type(g) for g in got] == [DeadlineExceeded] * 3
        b.shutdown(wait=False, cancel_futures=True)

    asyncio.run(main())


def test_the_wait_for_a_result_may_end_before_the_item_does() -> None:
    downstream = Downstream()
    with Batcher(downstream) as b:
        future = occupied(b, downstream, 4)
        with pytest.raises(TimeoutError):
            future.result(0.01)
        downstream.go()
        assert future.result() == 8


# Cancelling.


def test_cancelled_before_its_batch_an_item_is_never_sent() -> None:
    downstream = Downstream()
    with Batcher(downstream) as b:
        first = occupied(b, downstream)
        future, other = b.submit(1), b.submit(2)
        assert future.cancel()
        assert not future.cancel()
        downstream.go()
        assert (first.result(), other.result()) == (0, 4)
        assert future.cancelled()
        eventually(lambda: b.stats().cancels == 1)
    assert downstream.calls == [[0], [2]]


def test_cancelled_during_its_batch_an_item_is_let_go() -> None:
    downstream = Downstream()
    with Batcher(downstream) as b:
        future = occupied(b, downstream)
        assert future.cancel()
        downstream.go()
        assert b.submit(1).result() == 2
        assert future.cancelled()


def test_cancelled_after_its_batch_an_item_keeps_its_result() -> None:
    with Batcher(Downstream()) as b:
        future = b.submit(1)
        assert future.result() == 2
        assert not future.cancel()
        assert future.result() == 2


@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_a_task_that_is_cancelled_disturbs_nobody(moment: str) -> None:
    release: list[asyncio.Future[None]] = []
    calls: list[list[int]] = []

    async def load(items: list[int]) -> list[int]:
        calls.append(items)
        gate = asyncio.get_running_loop().create_future()
        release.append(gate)
        await gate
        return items

    async def main() -> None:
        b = Batcher(load)
        blocker = asyncio.ensure_future(b(0))
        while not calls:
            await asyncio.sleep(0)
        tasks = [asyncio.ensure_future(b(i)) for i in (1, 2)]
        await asyncio.sleep(0)
        if moment == "before":
            tasks[0].cancel()
        release[0].set_result(None)
        while len(calls) < 2:
            await asyncio.sleep(0)
        if moment == "during":
            tasks[0].cancel()
        await asyncio.sleep(0)
        release[1].set_result(None)
        got = await asyncio.gather(blocker, *tasks, return_exceptions=True)
        if moment == "after":
            assert not tasks[0].cancel()
            assert got == [0, 1, 2]
        else:
            assert isinstance(got[1], asyncio.CancelledError)
            assert (got[0], got[2]) == (0, 2)
        assert calls[1] == ([2] if moment == "before" else [1, 2])
        await b.aclose()

    asyncio.run(main())


def test_one_waiter_of_a_shared_key_cancels_for_itself_only() -> None:
    downstream = Downstream()
    with Batcher(downstream, dedupe=True) as b:
        first = occupied(b, downstream)
        one, two, three = (b.submit(7) for _ in range(3))
        assert one.cancel()
        assert three.cancel()
        downstream.go()
        assert first.result() == 0
        assert two.result() == 14
        assert one.cancelled()
        assert three.cancelled()
    assert downstream.calls == [[0], [7]]


def test_when_every_waiter_of_a_key_cancels_it_is_not_sent() -> None:
    downstream = Downstream()
    with Batcher(downstream, dedupe=True) as b:
        first = occupied(b, downstream)
        futures = [b.submit(7) for _ in range(3)]
        assert all(f.cancel() for f in futures)
        last = b.submit(8)
        downstream.go()
        assert (first.result(), last.result()) == (0, 16)
    assert downstream.calls == [[0], [8]]


def test_a_cancelled_map_is_not_sent() -> None:
    downstream = Downstream()
    with Batcher(downstream) as b:
        first = occupied(b, downstream)
        future = b.map([1, 2, 3])
        assert future.cancel()
        downstream.go()
        assert first.result() == 0
        assert b.submit(4).result() == 8
    assert downstream.calls == [[0], [4]]


def test_a_map_dropped_while_it_runs_completes_without_harm() -> None:
    downstream = Downstream()
    with Batcher(downstream) as b:
        first = occupied(b, downstream)
        b.map(range(100))
        b.submit(1)
        gc.collect()
        downstream.go()
        assert first.result() == 0
    assert sum(map(len, downstream.calls)) == 102


# User callbacks.


def test_a_key_or_weight_that_raises_meets_its_caller_only() -> None:
    downstream = Downstream()
    with Batcher(
        downstream, key=lambda item: 1 // item, batch_size_fn=lambda item: 2 // (item - 5), max_batch_weight=9
    ) as b:
        with pytest.raises(ZeroDivisionError):
            b.submit(0)
        with pytest.raises(ZeroDivisionError):
            b.map([7, 5])
        assert b.submit(7).result() == 14
    with (
        Batcher(downstream, batch_size_fn=lambda item: item, max_batch_weight=9) as c,
        pytest.raises(InvalidArgument, match="weight"),
    ):
        c.submit(-1)


def test_an_item_heavier_than_a_batch_says_so() -> None:
    with Batcher(Downstream(), batch_size_fn=len, max_batch_weight=3) as b:
        with pytest.raises(InvalidArgument, match="max_batch_weight"):
            b.submit("much too heavy").result()
        assert b.submit("abc").result() == "abcabc"


# Full queues.


def test_100_000_items_against_a_stopped_downstream_reject() -> None:
    downstream = Downstream()
    b = Batcher(downstream, max_queue_size=1000, on_full="reject", max_batch_size=1000)
    first = occupied(b, downstream)
    futures = [b.submit(i) for i in range(100_000)]
    full = [f for f in futures if f.done()]
    assert len(full) == 99_000
    assert b.stats().rejects == 99_000
    assert b.stats().depth == 1000
    assert {type(f.exception()) for f in full} == {QueueFull}
    assert "queue is full" in str(full[0].exception())
    downstream.go()
    assert first.result() == 0
    assert [f.result() for f in futures[:1000]] == [2 * i for i in range(1000)]
    b.shutdown()


def test_100_000_items_against_a_stopped_downstream_drop_oldest() -> None:
    downstream = Downstream()
    b = Batcher(downstream, max_queue_size=1000, on_full="drop_oldest", max_batch_size=1000)
    first = occupied(b, downstream)
    futures = [b.submit(i) for i in range(100_000)]
    assert all(f.done() for f in futures[:99_000])
    assert not any(f.done() for f in futures[99_000:])
    assert {type(f.exception()) for f in futures[:99_000]} == {QueueFull}
    downstream.go()
    assert first.result() == 0
    assert [f.result() for f in futures[99_000:]] == [2 * i for i in range(99_000, 100_000)]
    b.shutdown()


def test_100_000_coroutines_against_a_stopped_downstream_wait() -> None:
    downstream = Downstream()

    async def main() -> None:
        async with Batcher(downstream, max_queue_size=1000, max_batch_size=1000) as b:
            first = asyncio.ensure_future(b(0))
            downstream.stop()
            tasks = [asyncio.ensure_future(b(i)) for i in range(100_000)]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert not any(t.done() for t in tasks[1001:])
            downstream.go()
            assert await asyncio.gather(*tasks) == [2 * i for i in range(100_000)]
            assert await first == 0
            assert b.stats().rejects == 0

    asyncio.run(main())


def test_a_thread_waits_for_room_and_no_longer_than_its_timeout() -> None:
    downstream = Downstream()
    b = Batcher(downstream, max_queue_size=2)
    first = occupied(b, downstream)
    futures = [b.submit(i) for i in (1, 2)]
    with pytest.raises(DeadlineExceeded):
        b.submit(3, timeout=0.05).result()
    got: list[int] = []
    thread = threading.Thread(target=lambda: got.append(b.submit(4).result()))
    thread.start()
    assert not got
    downstream.go()
    thread.join(30)
    assert got == [8]
    assert [f.result() for f in (first, *futures)] == [0, 2, 4]
    b.shutdown()


# Shutting down.


def test_a_closed_batcher_refuses_and_closing_twice_is_fine() -> None:
    b = Batcher(Downstream())
    assert not b.closed
    b.shutdown()
    b.shutdown()
    assert b.closed
    with pytest.raises(RuntimeError, match="after shutdown"):
        b.submit(1)
    with pytest.raises(Closed):
        b(1)
    with pytest.raises(Closed):
        b.map([1])
    assert "closed" in repr(b)


def test_shutdown_finishes_what_was_accepted() -> None:
    downstream = Downstream()
    b = Batcher(downstream, batch_wait_timeout_s=3600)
    futures = [b.submit(i) for i in range(3)]
    b.shutdown()
    assert [f.result(0) for f in futures] == [0, 2, 4]
    assert b.stats().reasons["drain"] == 1


def test_shutdown_can_cancel_what_has_not_started() -> None:
    downstream = Downstream()
    b = Batcher(downstream)
    first = occupied(b, downstream)
    waiting = b.submit(1)
    b.shutdown(wait=False, cancel_futures=True)
    with pytest.raises(Cancelled):
        waiting.result(30)
    assert not first.done()
    downstream.go()
    assert first.result() == 0
    b.shutdown()
    assert downstream.calls == [[0]]


def test_an_error_in_the_block_cancels_what_waits() -> None:
    downstream = Downstream()
    futures: list[Any] = []

    def block() -> None:
        with Batcher(downstream, batch_wait_timeout_s=3600) as b:
            futures.append(b.submit(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        block()
    with pytest.raises(Cancelled):
        futures[0].result(0)


def test_shutdown_does_not_block_a_loop() -> None:
    async def main() -> None:
        b = Batcher(Downstream())
        with pytest.raises(RuntimeError, match="aclose"):
            b.shutdown()
        await b.aclose()
        assert b.closed

    asyncio.run(main())


def test_a_batcher_that_is_dropped_finishes_its_work() -> None:
    downstream = Downstream()
    b = Batcher(downstream)
    first = occupied(b, downstream)
    future = b.submit(1)
    del b
    gc.collect()
    downstream.go()
    assert (first.result(), future.result()) == (0, 2)


# Processes and signals.


def test_a_child_of_fork_needs_its_own_batcher() -> None:
    b = Batcher(Downstream())
    assert b.submit(1).result() == 2
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            b.submit(1)
            os.write(write_end, b"accepted")
        except Forked:
            with Batcher(identity()) as fresh:
                os.write(write_end, str(fresh.submit(5).result()).encode())
            with Batcher(Downstream()) as own:
                os.write(write_end, str(own.submit(5).result(20)).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(write_end)
    assert os.read(read_end, 100) + os.read(read_end, 100) == b"510"
    os.close(read_end)
    assert b.submit(2).result() == 4
    b.shutdown()


PROGRAM_WITH_A_STOPPED_DOWNSTREAM = """
import threading, sys, headrace
gate = threading.Event()
@headrace.batch
def stuck(items):
    print("ready", flush=True)
    gate.wait()
    return items
try:
    stuck.submit(1).result()
except KeyboardInterrupt:
    gate.set()
    print("interrupted", flush=True)
"""


def test_ctrl_c_interrupts_a_waiting_result() -> None:
    command = [sys.executable, "-c", PROGRAM_WITH_A_STOPPED_DOWNSTREAM]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == "interrupted\n"
        assert child.wait(30) == 0


@pytest.mark.parametrize("ending", ["", "b.shutdown()", "import os; os.kill(os.getpid(), 15)"])
def test_a_program_ends_with_items_pending(ending: str) -> None:
    program = f"""
import headrace
b = headrace.batch.Batcher(lambda items: items, batch_wait_timeout_s=3600)
futures = [b.submit(i) for i in range(10)]
c = headrace.batch.Batcher(headrace.batch.identity(), batch_wait_timeout_s=3600)
more = [c.submit(i) for i in range(10)]
{ending}
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == (-15 if "kill" in ending else 0), done.stderr
    assert done.stderr == ""
