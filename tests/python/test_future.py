"""headrace.Future in event loops: the surface of asyncio.Future, on asyncio and on uvloop."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import inspect
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
import uvloop

import headrace
from headrace._core import _bench

Run = Callable[[Coroutine[Any, Any, Any]], Any]
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    new_loop = asyncio.new_event_loop if request.param == "asyncio" else uvloop.new_event_loop

    def run(main: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(main)

    return run


def pending() -> tuple[headrace.Future[Any], Callable[[], None]]:
    """A future, and the function that finishes it with 42."""
    submit, finish = _bench.by_hand()
    return submit(42), finish


def failing(error: BaseException) -> tuple[headrace.Future[Any], Callable[[], None]]:
    submit, finish = _bench.by_hand()
    return submit(error), finish


# -- the surface, one point each


def test_awaiting_gives_the_result(run: Run) -> None:
    async def main() -> None:
        future, finish = pending()
        assert not future.done()
        asyncio.get_running_loop().call_soon(finish)
        assert await future == 42
        assert future.done()
        assert not future.cancelled()
        assert await future == 42  # again, at once

    run(main())


def test_awaiting_raises_the_exception(run: Run) -> None:
    async def main() -> None:
        future, finish = failing(LookupError("gone"))
        asyncio.get_running_loop().call_soon(finish)
        with pytest.raises(LookupError, match="gone"):
            await future
        with pytest.raises(LookupError):
            await future
        assert isinstance(future.exception(), LookupError)

    run(main())


def test_the_traceback_does_not_grow_with_every_raise(run: Run) -> None:
    async def main() -> None:
        future, finish = failing(LookupError("gone"))
        finish()
        lengths = []
        for _ in range(5):
            try:
                await future
            except LookupError as error:
                trace, length = error.__traceback__, 0
                while trace is not None:
                    trace, length = trace.tb_next, length + 1
                lengths.append(length)
        assert len(set(lengths)) == 1

    run(main())


def test_a_stop_iteration_does_not_end_the_coroutine(run: Run) -> None:
    async def main() -> None:
        future, finish = failing(StopIteration(1))
        finish()
        with pytest.raises(RuntimeError, match="StopIteration"):
            await future

    run(main())


@pytest.mark.parametrize("value", [(1, 2), None, StopAsyncIteration, [1]])
def test_any_value_comes_as_it_is(run: Run, value: object) -> None:
    async def main() -> None:
        submit, finish = _bench.by_hand()
        future = submit(value)
        asyncio.get_running_loop().call_soon(finish)
        assert await future is value
        with pytest.raises(StopIteration) as stop:
            next(iter(future))
        assert stop.value.value is value

    run(main())


def test_result_and_exception_do_not_wait_where_a_loop_runs(run: Run) -> None:
    async def main() -> None:
        future, finish = pending()
        with pytest.raises(asyncio.InvalidStateError):
            future.result()
        with pytest.raises(asyncio.InvalidStateError):
            future.exception()
        finish()
        assert future.result() == 42
        assert future.exception() is None

    run(main())


def test_the_loop_is_bound_by_the_first_use(run: Run) -> None:
    future, finish = pending()
    with pytest.raises(RuntimeError, match="no running event loop"):
        future.get_loop()
    with pytest.raises(RuntimeError, match="no running event loop"):
        future.add_done_callback(print)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert future.get_loop() is loop
        loop.call_soon(finish)
        assert await future == 42

    run(main())


def test_another_loop_may_read_a_result_but_not_wait_for_it(run: Run) -> None:
    future, finish = pending()

    async def bind() -> None:
        future.get_loop()

    async def wait() -> None:
        with pytest.raises(RuntimeError, match="attached to a different loop"):
            await future

    async def read() -> int:
        return await future

    run(bind())
    run(wait())
    finish()
    assert run(read()) == 42


def test_callbacks_come_in_order_through_the_loop(run: Run) -> None:
    async def main() -> None:
        future, finish = pending()
        calls: list[tuple[str, object]] = []
        future.add_done_callback(lambda f: calls.append(("first", f.result())))
        future.add_done_callback(lambda f: calls.append(("second", f.result())))
        task = asyncio.ensure_future(wait_and_note(future, calls))
        await asyncio.sleep(0)
        finish()
        assert calls == []
        await task
        assert calls == [("first", 42), ("second", 42), ("task", 42)]
        future.add_done_callback(lambda f: calls.append(("late", f.result())))
        assert len(calls) == 3
        await asyncio.sleep(0)
        assert calls[-1] == ("late", 42)

    async def wait_and_note(future: Awaitable[int], calls: list[tuple[str, object]]) -> None:
        calls.append(("task", await future))

    run(main())


def test_callbacks_can_be_removed(run: Run) -> None:
    async def main() -> None:
        future, finish = pending()
        calls: list[object] = []
        for _ in range(3):
            future.add_done_callback(calls.append)
        future.add_done_callback(print_nothing)
        assert future.remove_done_callback(calls.append) == 3
        assert future.remove_done_callback(calls.append) == 0
        finish()
        assert await future == 42
        assert calls == []

    def print_nothing(_: object) -> None:
        pass

    run(main())


def test_a_callback_runs_in_its_context(run: Run) -> None:
    async def main() -> None:
        future, finish = pending()
        seen: list[str] = []
        variable.set("outer")
        future.add_done_callback(lambda _: seen.append(variable.get()))
        other = contextvars.copy_context()
        other.run(variable.set, "given")
        future.add_done_callback(lambda _: seen.append(variable.get()), context=other)
        variable.set("later")
        finish()
        while len(seen) < 2:
            await asyncio.sleep(0)
        assert seen == ["outer", "given"]

    run(main())


def test_tasks_keep_their_context_and_are_current(run: Run) -> None:
    async def main() -> None:
        submit, close = _bench.by_thread()

        async def caller(name: str) -> None:
            variable.set(name)
            me = asyncio.current_task()
            for i in range(50):
                assert await submit(i) == i
                assert variable.get() == name
                assert asyncio.current_task() is me

        await asyncio.gather(*(caller(f"task {i}") for i in range(200)))
        assert variable.get() == "unset"
        close()

    run(main())


def test_a_callback_that_raises_reaches_the_exception_handler(run: Run) -> None:
    async def main() -> None:
        future, finish = pending()
        reports: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))

        def explode(_: object) -> None:
            raise ValueError("callback")

        future.add_done_callback(explode)
        finish()
        assert await future == 42
        while not reports:
            await asyncio.sleep(0)
        assert [str(report["exception"]) for report in reports] == ["callback"]

    run(main())


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_exit_in_a_task_leaves_the_loop(run: Run, kind: type[BaseException]) -> None:
    async def main() -> None:
        submit, finish = _bench.by_hand()

        async def caller() -> None:
            await submit(1)
            raise kind("out")

        async def other() -> None:
            await submit(2)

        tasks = [asyncio.ensure_future(caller()), asyncio.ensure_future(other())]
        await asyncio.sleep(0)
        finish()
        await asyncio.wait(tasks)

    with pytest.raises(kind, match="out"):
        run(main())


def test_the_cosmetics(run: Run) -> None:
    async def main() -> None:
        future, finish = pending()
        assert repr(future) == "<headrace.Future pending>"
        future.add_done_callback(lambda _: None)
        assert repr(future) == "<headrace.Future pending callbacks=1>"
        assert asyncio.isfuture(future)
        assert inspect.isawaitable(future)
        assert not inspect.iscoroutine(future)
        assert not asyncio.iscoroutine(future)
        assert headrace.Future[int].__origin__ is headrace.Future
        assert weakref.ref(future)() is future
        finish()
        await future
        assert repr(future) == "<headrace.Future finished result=42>"
        with pytest.raises(TypeError):
            headrace.Future()
        for refused in (future.set_result, future.set_exception):
            with pytest.raises(RuntimeError, match="engine"):
                refused(1)

    run(main())


def test_wrong_arguments_are_type_errors() -> None:
    future, _ = pending()
    for call in (
        lambda: future.result(1, 2),
        lambda: future.result(limit=1),
        lambda: future.cancel("a", "b"),
        lambda: future.add_done_callback(),
        lambda: future.add_done_callback(print, contexts=None),
        lambda: future.result("soon"),
    ):
        with pytest.raises(TypeError):
            call()  # type: ignore[no-untyped-call]
    with pytest.raises(ValueError, match="nan"):
        future.result(float("nan"))


# -- cancelling


def test_cancel_before_completion_wins(run: Run) -> None:
    async def main() -> None:
        future, finish = pending()
        calls: list[object] = []
        future.add_done_callback(calls.append)
        told = _bench.cancels()
        assert future.cancel("enough") is True
        assert future.cancel() is False
        assert _bench.cancels() == told + 1
        assert future.done()
        assert future.cancelled()
        assert "cancelled" in repr(future)
        finish()
        with pytest.raises(asyncio.CancelledError, match="enough"):
            future.result()
        with pytest.raises(asyncio.CancelledError):
            future.exception()
        with pytest.raises(asyncio.CancelledError, match="enough"):
            await future
        await asyncio.sleep(0)
        assert calls == [future]

    run(main())


def test_cancel_after_completion_loses(run: Run) -> None:
    async def main() -> None:
        future, finish = pending()
        waiter = asyncio.ensure_future(asyncio.wait([future]))
        await asyncio.sleep(0)
        finish()  # decided, though the loop has not been told yet
        assert future.cancel() is False
        await waiter
        assert await future == 42

    run(main())


def test_a_cancelled_task_cancels_what_it_awaits(run: Run) -> None:
    async def main() -> None:
        future, finish = pending()
        task = asyncio.ensure_future(wait(future))
        await asyncio.sleep(0)
        task.cancel("stop")
        with pytest.raises(asyncio.CancelledError):
            await task
        assert future.cancelled()
        finish()
        await asyncio.sleep(0)

    async def wait(future: Awaitable[int]) -> int:
        return await future

    run(main())


def test_a_task_cancelled_between_completion_and_delivery_sees_the_cancel(run: Run) -> None:
    async def main() -> None:
        future, finish = pending()
        task = asyncio.ensure_future(wait(future))
        await asyncio.sleep(0)
        finish()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert future.result() == 42

    async def wait(future: Awaitable[int]) -> int:
        return await future

    run(main())


# -- asyncio's own tools


def test_gather_of_exceptions_ends_when_a_waiter_was_cancelled(run: Run) -> None:
    async def main() -> None:
        first, _ = pending()
        second, _ = pending()
        both = asyncio.gather(first, second, return_exceptions=True)
        first.cancel("why")
        second.cancel()
        found = await asyncio.wait_for(both, 10)
        assert [type(e) for e in found] == [asyncio.CancelledError] * 2
        assert str(found[0]) == "why"

    run(main())


def test_gather(run: Run) -> None:
    async def main() -> None:
        submit, close = _bench.by_thread()
        assert await asyncio.gather(*(submit(i) for i in range(100))) == list(range(100))
        mixed = await asyncio.gather(submit(1), submit(ValueError("two")), return_exceptions=True)
        assert mixed[0] == 1
        assert isinstance(mixed[1], ValueError)
        with pytest.raises(ValueError, match="two"):
            await asyncio.gather(submit(1), submit(ValueError("two")))
        waiting, _ = pending()
        everything = asyncio.gather(waiting)
        everything.cancel()
        with pytest.raises(asyncio.CancelledError):
            await everything
        assert waiting.cancelled()
        close()

    run(main())


def test_wait_and_as_completed(run: Run) -> None:
    async def main() -> None:
        submit, close = _bench.by_thread()
        never, _ = pending()
        done, left = await asyncio.wait([submit(1), never], return_when=asyncio.FIRST_COMPLETED)
        assert [f.result() for f in done] == [1]
        assert left == {never}
        done, left = await asyncio.wait([never], timeout=0.001)
        assert done == set()
        assert sorted([await f for f in asyncio.as_completed([submit(i) for i in range(10)])]) == list(range(10))
        never.cancel()
        close()

    run(main())


def test_wait_for_and_timeout(run: Run) -> None:
    async def main() -> None:
        submit, close = _bench.by_thread()
        assert await asyncio.wait_for(submit(1), 10) == 1
        slow, _ = pending()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(slow, 0.001)
        assert slow.cancelled()
        slow, _ = pending()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await slow
        assert slow.cancelled()
        close()

    run(main())


def test_shield(run: Run) -> None:
    async def main() -> None:
        future, finish = pending()
        outer = asyncio.shield(future)
        outer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await outer
        assert not future.done()
        asyncio.get_running_loop().call_soon(finish)
        assert await asyncio.shield(future) == 42

    run(main())


def test_task_group(run: Run) -> None:
    async def main() -> None:
        submit, close = _bench.by_thread()
        hanging, _ = pending()

        async def call(value: object) -> object:
            return await submit(value)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call(i)) for i in range(10)]
        assert [task.result() for task in tasks] == list(range(10))

        async def hang() -> None:
            await hanging

        async def all_of_it() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(hang())
                group.create_task(call(ValueError("one fails")))

        with pytest.raises(ExceptionGroup):
            await all_of_it()
        assert hanging.cancelled()
        close()

    run(main())


def test_wrap_future_ensure_future_and_run_until_complete(run: Run) -> None:
    async def main() -> None:
        future, finish = pending()
        assert asyncio.wrap_future(future) is future  # type: ignore[arg-type]
        assert asyncio.ensure_future(future) is future
        asyncio.get_running_loop().call_soon(finish)
        await future

    run(main())


def test_two_tasks_await_one_future(run: Run) -> None:
    async def main() -> None:
        future, finish = pending()

        async def wait() -> int:
            return await future

        tasks = [asyncio.ensure_future(wait()) for _ in range(3)]
        await asyncio.sleep(0)
        finish()
        assert await asyncio.gather(*tasks) == [42, 42, 42]

    run(main())


def test_one_drain_leaves_the_loop_its_turns(run: Run) -> None:
    async def main() -> None:
        submit, close = _bench.at_end_of_drain()  # completes within the drain, so the drain alone would never end
        turns = 0
        finished = False

        async def call() -> None:
            nonlocal finished
            for i in range(20_000):
                await submit(i)
            finished = True

        def turn() -> None:
            nonlocal turns
            turns += 1
            if not finished:
                asyncio.get_running_loop().call_soon(turn)

        turn()
        await asyncio.gather(*(call() for _ in range(2)))
        assert turns >= 40_000 / 1024
        close()

    run(main())


# -- what is never asked for


def test_an_exception_nobody_retrieves_is_reported(run: Run) -> None:
    async def main() -> None:
        reports: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
        future, finish = failing(ValueError("unseen"))
        future.add_done_callback(lambda _: None)
        finish()
        await asyncio.sleep(0.001)
        del future
        gc.collect()
        dropped, finish = failing(ValueError("never bound"))
        finish()
        del dropped
        seen, finish = failing(ValueError("seen"))
        finish()
        seen.exception()
        del seen
        assert [(r["message"], str(r["exception"])) for r in reports] == [
            ("Future exception was never retrieved", "unseen"),
            ("Future exception was never retrieved", "never bound"),
        ]

    run(main())


def test_a_future_dropped_while_pending_still_calls_back(run: Run) -> None:
    async def main() -> None:
        future, finish = pending()
        done = asyncio.Event()
        future.add_done_callback(lambda _: done.set())
        del future
        gc.collect()
        finish()
        await done.wait()

    run(main())


def test_cycles_through_a_result_are_collected(run: Run) -> None:
    class Node:
        future: object

    async def main() -> weakref.ref[Node]:
        submit, finish = _bench.by_hand()
        node = Node()
        node.future = submit(node)
        finish()
        assert await node.future is node  # type: ignore[misc]
        return weakref.ref(node)

    ref = run(main())
    gc.collect()
    assert ref() is None
