"""Batchers and event loops: several loops, loops that end too early, uvloop."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop
from batch_helpers import Downstream, eventually

from headrace.batch import Batcher, identity
from headrace.errors import Cancelled

Loop = asyncio.AbstractEventLoop
LOOPS: dict[str, Callable[[], Loop]] = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=LOOPS)
def make_loop(request: pytest.FixtureRequest) -> Callable[[], Loop]:
    return LOOPS[request.param]


def run(make_loop: Callable[[], Loop], main: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=make_loop) as runner:
        return runner.run(main)


async def doubled(items: list[int]) -> list[int]:
    await asyncio.sleep(0)
    return [2 * i for i in items]


FUNCTIONS: dict[str, Callable[[], Any]] = {
    "identity": lambda: identity(),
    "plain": lambda: lambda items: items,
    "async": lambda: asynchronous,
}


async def asynchronous(items: list[Any]) -> list[Any]:
    return items


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_every_kind_of_function_in_a_loop(make_loop: Callable[[], Loop], kind: str) -> None:
    async def client(b: Batcher[int, int], start: int) -> None:
        for i in range(start, start + 50):
            assert await b(i) == i

    async def main() -> None:
        async with Batcher(FUNCTIONS[kind]()) as b:
            await asyncio.gather(*(client(b, 1000 * n) for n in range(64)))
            assert b.stats().completed == 3200
            assert b.stats().depth == 0

    run(make_loop, main())


def test_the_surface_of_asyncio_works(make_loop: Callable[[], Loop]) -> None:
    async def main() -> None:
        async with Batcher(doubled) as b:
            assert await asyncio.wait_for(b(1), 30) == 2
            assert await asyncio.shield(b(2)) == 4
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(call(b, i)) for i in range(3)]
            assert [t.result() for t in tasks] == [0, 2, 4]
            done, pending = await asyncio.wait([b(3), b(4)])
            assert sorted(f.result() for f in done) == [6, 8]
            assert not pending
            assert [await f for f in asyncio.as_completed([b(5)])] == [10]

    async def call(b: Batcher[int, int], i: int) -> int:
        return await b(i)

    run(make_loop, main())


def test_wait_for_gives_one_item_up(make_loop: Callable[[], Loop]) -> None:
    async def main() -> None:
        gate = asyncio.get_running_loop().create_future()

        async def load(items: list[int]) -> list[int]:
            await gate
            return items

        async with Batcher(load) as b:
            other = asyncio.ensure_future(b(1))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(b(2), 0.01)
            gate.set_result(None)
            assert await other == 1

    run(make_loop, main())


def test_context_variables_stay_with_their_tasks(make_loop: Callable[[], Loop]) -> None:
    who: contextvars.ContextVar[int] = contextvars.ContextVar("who")

    async def client(b: Batcher[int, int], n: int) -> None:
        who.set(n)
        for _ in range(10):
            await b(n)
            assert who.get() == n

    async def main() -> None:
        async with Batcher(doubled) as b:
            await asyncio.gather(*(client(b, n) for n in range(50)))

    run(make_loop, main())


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_two_loops_in_two_threads_share_a_batcher(make_loop: Callable[[], Loop], kind: str) -> None:
    b: Batcher[int, int] = Batcher(FUNCTIONS[kind]())
    wrong: list[Any] = []

    async def client(start: int) -> None:
        for i in range(start, start + 20):
            got = await b(i)
            if got != i:
                wrong.append((i, got))

    async def main(start: int) -> None:
        await asyncio.gather(*(client(start + 100 * n) for n in range(50)))

    threads = [threading.Thread(target=run, args=(make_loop, main(start))) for start in (0, 1_000_000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert b.stats().completed == 2000
    b.shutdown()


def test_an_async_function_sees_only_the_items_of_its_loop() -> None:
    seen: list[tuple[Loop, list[Any]]] = []

    async def load(items: list[Any]) -> list[Any]:
        seen.append((asyncio.get_running_loop(), items))
        await asyncio.sleep(0)
        return items

    b: Batcher[Any, Any] = Batcher(load)
    barrier = threading.Barrier(2)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        barrier.wait(30)
        for _ in range(20):
            await asyncio.gather(*(b(loop) for _ in range(5)))

    threads = [threading.Thread(target=asyncio.run, args=(main(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(item is loop for loop, items in seen for item in items)
    assert len({id(loop) for loop, _ in seen}) == 2
    b.shutdown()


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_one_batcher_serves_loops_that_come_and_go(make_loop: Callable[[], Loop], kind: str) -> None:
    b: Batcher[int, int] = Batcher(FUNCTIONS[kind]())

    async def main(i: int) -> list[int]:
        return list(await asyncio.gather(b(i), b(i + 1)))

    for i in range(20):
        assert run(make_loop, main(i)) == [i, i + 1]
    b.shutdown()


def test_a_loop_that_closes_with_items_pending_in_a_worker(make_loop: Callable[[], Loop]) -> None:
    downstream = Downstream()
    b: Batcher[int, int] = Batcher(downstream)
    loop = make_loop()
    futures: list[Any] = []

    async def main() -> None:
        downstream.stop()
        futures.append(b(1))
        waiter = asyncio.ensure_future(futures[0])
        await asyncio.sleep(0)
        await asyncio.get_running_loop().run_in_executor(None, downstream.wait_entered)
        futures.append(b(2))
        waiter.cancel()
        futures.append(b(3))

    loop.run_until_complete(main())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    del loop
    gc.collect()
    downstream.go()
    assert b.submit(4).result(30) == 8  # it goes on for others
    eventually(lambda: b.stats().depth == 0, "an empty queue")
    b.shutdown()


class Lonely(asyncio.Future[list[int]]):
    """Can be found by a weak reference."""


def test_a_batch_that_only_its_own_future_knows_is_no_garbage(make_loop: Callable[[], Loop]) -> None:
    waiting: list[weakref.ref[Lonely]] = []

    async def function(items: list[int]) -> list[int]:
        future = Lonely()
        waiting.append(weakref.ref(future))
        return await future

    async def main() -> None:
        async with Batcher(function) as b:
            item = asyncio.ensure_future(b(1))
            while not waiting:
                await asyncio.sleep(0)
            gc.collect()
            future = waiting.pop()()
            assert future is not None
            future.set_result([2])
            del future
            assert await item == 2

    run(make_loop, main())


def test_a_loop_that_closes_under_an_async_function() -> None:
    started: list[list[int]] = []

    async def load(items: list[int]) -> list[int]:
        started.append(items)
        if items != [3]:
            await asyncio.get_running_loop().create_future()
        return items

    b: Batcher[int, int] = Batcher(load)
    futures: list[Any] = []

    async def main() -> None:
        futures.append(b(1))
        while not started:
            await asyncio.sleep(0)
        futures.append(b(2))

    asyncio.run(main())  # cancels the task of the function
    gc.collect()
    with pytest.raises(Cancelled):
        futures[0].result(30)
    with pytest.raises(Cancelled):
        futures[1].result(30)
    assert asyncio.run(call(b, 3)) == 3
    b.shutdown()


def test_a_loop_that_never_runs_the_end_of_its_turn() -> None:
    b: Batcher[int, int] = Batcher(identity())
    loop = asyncio.new_event_loop()
    futures: list[Any] = []

    async def main() -> None:
        futures.append(b(1))  # nobody awaits it and the loop stops in this very turn

    loop.run_until_complete(main())
    assert asyncio.run(call(b, 2)) == 2  # in the same thread
    loop.close()
    del loop
    gc.collect()
    assert b.submit(3).result() == 3
    b.shutdown()


async def call(b: Batcher[int, int], i: int) -> int:
    return await b(i)


def test_a_future_of_a_thread_can_be_awaited_and_one_of_a_loop_can_be_waited_for() -> None:
    b: Batcher[int, int] = Batcher(lambda items: items)
    early = b.submit(1)
    made: list[Any] = []

    async def main() -> None:
        assert await early == 1
        made.append(b(2))
        await asyncio.sleep(0)

    asyncio.run(main())
    assert made[0].result(30) == 2
    b.shutdown()
