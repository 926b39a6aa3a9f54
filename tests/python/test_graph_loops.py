"""Graphs from coroutines, and batches that leave when no unit of the graph can join them any more."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from batch_helpers import Downstream

from headrace import Graph, errors
from headrace.batch import Batcher, identity

# Only where a test says so may a batch leave because of the limit.
PATIENT: dict[str, Any] = {"hold_limit_s": 600.0}


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    if request.param == "asyncio":
        return asyncio.run
    uvloop = pytest.importorskip("uvloop")
    return lambda main: asyncio.Runner(loop_factory=uvloop.new_event_loop).run(main)


Run = Callable[[Coroutine[Any, Any, Any]], Any]


def test_sync_and_async_nodes_depend_on_each_other(run: Run) -> None:
    async def fetch(x: int) -> int:
        await asyncio.sleep(0.001)
        return x + 1

    async def main() -> None:
        loop_thread = threading.get_ident()
        async with Graph() as g:
            a = g.submit(fetch, 1)
            thread = g.submit(lambda x: (x, threading.get_ident()), a)
            b = g.submit(fetch, g.submit(lambda pair: pair[0], thread))
            assert await b == 3
            assert (await thread)[1] != loop_thread
        assert await asyncio.gather(a, b) == [2, 3]
        assert await asyncio.wait_for(b, 30) == 3

    run(main())


def test_await_of_the_graph_is_its_idleness(run: Run) -> None:
    async def main() -> None:
        g = Graph()
        nodes = [g.sleep(0.01 * i) for i in range(4)]
        await g
        assert all(n.done() for n in nodes)

    run(main())


def test_errors_of_coroutines_reach_dependants(run: Run) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise KeyError("gone")

    async def main() -> None:
        g = Graph()
        bad = g.submit(fail)
        child = g.submit(lambda x: x, bad)
        with pytest.raises(KeyError):
            await bad
        with pytest.raises(errors.DependencyFailed) as caught:
            await child
        assert isinstance(caught.value.__cause__, KeyError)

    run(main())


def test_cancel_reaches_the_coroutine(run: Run) -> None:
    ended: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async def main() -> None:
        g = Graph()
        node = g.submit(forever)
        child = g.submit(lambda x: x, node)
        await asyncio.sleep(0.01)
        assert node.cancel()
        with pytest.raises((asyncio.CancelledError, errors.Cancelled)):
            await child
        await g
        await asyncio.sleep(0.01)

    run(main())
    assert ended == ["cancelled"]


def test_context_variables_are_those_of_the_submitter(run: Run) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")

    async def read() -> str:
        await asyncio.sleep(0)
        return variable.get()

    async def main() -> None:
        g = Graph()
        variable.set("mine")
        assert await g.submit(read) == "mine"

    run(main())


def test_a_coroutine_awaits_nodes_it_makes(run: Run) -> None:
    async def main() -> None:
        g = Graph()

        async def fib(n: int) -> int:
            if n < 2:
                return n
            a, b = await asyncio.gather(g.submit(fib, n - 1), g.submit(fib, n - 2))
            return int(a) + int(b)

        assert await g.submit(fib, 10) == 55

    run(main())


def batcher(kind: str, calls: list[int]) -> Batcher[Any, Any]:
    if kind == "native":
        return Batcher(identity(), max_batch_size=10_000)
    if kind == "sync":

        def plain(items: list[int]) -> list[int]:
            calls.append(len(items))
            return items

        return Batcher(plain, max_batch_size=10_000)

    async def function(items: list[int]) -> list[int]:
        calls.append(len(items))
        await asyncio.sleep(0)
        return items

    return Batcher(function, max_batch_size=10_000)


@pytest.mark.parametrize("kind", ["native", "sync", "async"])
def test_units_of_one_level_make_one_call(run: Run, kind: str) -> None:
    calls: list[int] = []

    async def main() -> None:
        load = batcher(kind, calls)
        g = Graph(**PATIENT)

        async def unit(i: int) -> int:
            for level in range(3):
                assert await load(i + level) == i + level
            return i

        with g.growing():
            nodes = [g.submit(unit, i) for i in range(200)]
            await asyncio.sleep(0)  # some of them have called already
            nodes += [g.submit(unit, i) for i in range(200, 300)]
        assert await asyncio.gather(*nodes) == list(range(300))
        stats = load.stats()
        assert stats.batches == 3
        assert stats.reasons["quiescent"] == 3
        assert g.stats().limit_flushes == 0
        await load.aclose()

    run(main())
    assert calls == ([] if kind == "native" else [300, 300, 300])


def test_a_ragged_graph_makes_one_call_per_depth(run: Run) -> None:
    calls: list[int] = []

    async def main() -> None:
        load = batcher("async", calls)
        g = Graph(**PATIENT)

        async def unit(depth: int) -> None:
            for _ in range(depth):
                await load(depth)

        with g.growing():
            nodes = [g.submit(unit, i) for i in range(1, 11)]
        await asyncio.gather(*nodes)
        await load.aclose()

    run(main())
    assert calls == list(range(10, 0, -1))


def test_a_sleeper_does_not_hold_a_batch_back(run: Run) -> None:
    calls: list[int] = []

    async def main() -> None:
        load = batcher("async", calls)
        g = Graph(**PATIENT)

        async def sleeper() -> None:
            await asyncio.sleep(3600)
            await load(0)

        late = g.submit(sleeper)
        with g.growing():
            nodes = [g.submit(load_one, load, i) for i in range(3)]
        await asyncio.gather(*nodes)
        late.cancel()
        await load.aclose()

    async def load_one(load: Batcher[int, int], i: int) -> int:
        return await load(i)

    run(main())
    assert calls == [3]


def test_units_on_threads_that_wait_for_a_batch_join_one_call() -> None:
    calls: list[int] = []
    load = batcher("sync", calls)
    with Graph(concurrency=4, **PATIENT) as g, g.growing():
        for i in range(4):
            g.submit(lambda i=i: load.submit(i).result(30))
    assert calls == [4]
    assert load.stats().reasons["quiescent"] == 1
    load.shutdown()


def test_a_unit_that_the_graph_cannot_see_waiting_meets_the_hold_limit() -> None:
    calls: list[int] = []
    load = batcher("sync", calls)
    served = threading.Event()

    def caller() -> None:
        load.submit(1).result(30)
        served.set()

    with Graph(concurrency=2, hold_limit_s=0.005) as g:
        g.submit(caller)
        g.submit(served.wait, 30)
    assert calls == [1]
    assert g.stats().limit_flushes == 1
    load.shutdown()


def test_calls_outside_of_units_do_not_wait_for_the_graph(run: Run) -> None:
    calls: list[int] = []

    async def main() -> None:
        load = batcher("async", calls)
        g = Graph(**PATIENT)

        async def busy(stop: asyncio.Event) -> None:
            await stop.wait()

        stop = asyncio.Event()
        with g.growing():  # the graph is active all the time
            node = g.submit(busy, stop)
            assert await asyncio.wait_for(load(5), 30) == 5
            stop.set()
            await node
        await load.aclose()

    run(main())
    assert calls == [1]


def test_cancelled_calls_of_units_let_the_graph_go_on(run: Run) -> None:
    calls: list[int] = []

    async def main() -> None:
        load = batcher("async", calls)
        g = Graph(**PATIENT)

        async def gives_up() -> str:
            call = load(1)
            call.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await call
            return "went on"

        async def refused() -> str:
            with pytest.raises(TypeError):
                load([]) if False else load(1, 2)  # type: ignore[call-arg]
            return str(await load(7))

        with g.growing():
            nodes = [g.submit(gives_up), g.submit(refused)]
        assert await asyncio.wait_for(asyncio.gather(*nodes), 30) == ["went on", "7"]
        await load.aclose()

    run(main())
    assert calls == [1]


def test_a_map_in_a_unit_joins_with_the_calls_of_others(run: Run) -> None:
    calls: list[int] = []

    async def main() -> None:
        load = batcher("async", calls)
        g = Graph(**PATIENT)

        async def many() -> list[int]:
            return await load.map(range(5))

        async def one() -> int:
            return await load(9)

        with g.growing():
            nodes = [g.submit(many), g.submit(one)]
        assert await asyncio.gather(*nodes) == [[0, 1, 2, 3, 4], 9]
        await load.aclose()

    run(main())
    assert calls == [6]


def test_a_downstream_that_is_busy_takes_the_level_when_it_is_free() -> None:
    downstream = Downstream()
    with Batcher(downstream, max_batch_size=1000) as load:
        downstream.stop()
        first = load.submit(0)
        downstream.wait_entered()
        with Graph(concurrency=8, **PATIENT) as g:
            with g.growing():
                nodes = [g.submit(lambda i=i: load.submit(i).result(30)) for i in range(8)]
            downstream.go()
        assert sorted(n.result() for n in nodes) == [2 * i for i in range(8)]
        assert first.result(30) == 0
    assert [len(c) for c in downstream.calls] == [1, 8]


def test_two_loops_use_one_graph() -> None:
    g = Graph()
    found: list[int] = []

    async def work(x: int) -> int:
        await asyncio.sleep(0.001)
        return x

    async def main(base: int) -> None:
        found.extend(await asyncio.gather(*[g.submit(work, base + i) for i in range(50)]))

    threads = [threading.Thread(target=lambda b=b: asyncio.run(main(b))) for b in (0, 50)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(found) == list(range(100))


def test_a_loop_that_ends_fails_its_units() -> None:
    g = Graph()
    nodes: list[Any] = []

    async def forever() -> None:
        await asyncio.sleep(3600)

    async def main() -> None:
        nodes.append(g.submit(forever))
        await asyncio.sleep(0.01)

    asyncio.run(main())
    assert g.wait(30)
    with pytest.raises((errors.HeadraceError, asyncio.CancelledError)):
        nodes[0].result(30)


def test_a_batcher_is_submitted_like_a_function(run: Run) -> None:
    calls: list[int] = []

    async def main() -> None:
        load = batcher("async", calls)
        g = Graph(**PATIENT)
        with g.growing():
            nodes = [g.submit(load, i) for i in range(5)]
            several = g.submit(load.map, [5, 6])
        total = g.submit(sum, nodes)
        assert await total == 10
        assert await several == [5, 6]
        await load.aclose()

    run(main())
    assert calls == [7]


def test_a_batcher_is_submitted_where_no_loop_runs() -> None:
    calls: list[int] = []
    load = batcher("sync", calls)
    with Graph(**PATIENT) as g:
        with g.growing():
            nodes = [g.submit(load, i) for i in range(5)]
        total = g.submit(sum, nodes)
    assert total.result(30) == 10
    assert sum(calls) == 5
    load.shutdown()
