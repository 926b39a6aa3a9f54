"""The batcher from Python: single calls in, batches out, each caller its own result."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from batch_helpers import Downstream, eventually, occupied

import headrace
from headrace.batch import Batcher, Cache, RateLimit, identity
from headrace.errors import InvalidArgument, QueueFull


def test_the_module_is_the_decorator_and_the_namespace() -> None:
    @headrace.batch(max_batch_size=3)
    def double(items: list[int]) -> list[int]:
        """Doubles."""
        return [2 * item for item in items]

    @headrace.batch
    def triple(items: list[int]) -> list[int]:
        return [3 * item for item in items]

    with double, triple:
        assert isinstance(double, headrace.batch.Batcher)
        assert double.submit(2).result() == 4
        assert triple(2).result() == 6
        assert double.name == "double"
        assert double.__doc__ == "Doubles."
        assert double.__wrapped__([1]) == [2]
    with headrace.batch(headrace.batch.identity()) as same:
        assert same.submit("x").result() == "x"


def test_what_waits_while_the_function_works_is_the_next_batch() -> None:
    downstream = Downstream()
    with Batcher(downstream) as b:
        first = occupied(b, downstream)
        futures = [b.submit(i) for i in range(1, 8)]
        downstream.go()
        assert first.result() == 0
        assert [f.result() for f in futures] == [2 * i for i in range(1, 8)]
    assert downstream.calls == [[0], [1, 2, 3, 4, 5, 6, 7]]


def test_a_batch_is_never_larger_than_allowed() -> None:
    downstream = Downstream()
    with Batcher(downstream, max_batch_size=3) as b:
        first = occupied(b, downstream)
        futures = [b.submit(i) for i in range(1, 8)]
        downstream.go()
        assert [f.result() for f in (first, *futures)] == [2 * i for i in range(8)]
    assert [len(call) for call in downstream.calls] == [1, 3, 3, 1]


def test_calls_of_one_turn_of_the_loop_leave_together() -> None:
    calls: list[list[int]] = []

    async def load(items: list[int]) -> list[int]:
        calls.append(items)
        return [-i for i in items]

    async def main() -> list[int]:
        async with Batcher(load) as b:
            return list(await asyncio.gather(*(b(i) for i in range(10))))

    assert asyncio.run(main()) == [-i for i in range(10)]
    assert calls == [list(range(10))]


def test_a_plain_function_serves_coroutines_from_a_worker() -> None:
    threads: set[int] = set()

    def load(items: list[int]) -> list[int]:
        threads.add(threading.get_ident())
        return [i + 1 for i in items]

    async def main() -> list[int]:
        async with Batcher(load) as b:
            return list(await asyncio.gather(*(b(i) for i in range(10))))

    assert asyncio.run(main()) == list(range(1, 11))
    assert threading.get_ident() not in threads


def test_an_async_function_runs_as_a_task_on_the_loop_of_the_callers() -> None:
    seen: list[Any] = []

    async def load(items: list[int]) -> list[int]:
        seen.append((asyncio.get_running_loop(), asyncio.current_task()))
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            return items

    async def main() -> None:
        async with Batcher(load) as b:
            assert await b(1) == 1
        loop, task = seen[0]
        assert loop is asyncio.get_running_loop()
        assert isinstance(task, asyncio.Task)

    asyncio.run(main())


def test_an_async_function_has_no_loop_in_a_plain_thread() -> None:
    async def load(items: list[int]) -> list[int]:
        return items

    b = Batcher(load)
    with pytest.raises(RuntimeError, match="no running event loop"):
        b.submit(1)
    with pytest.raises(RuntimeError, match="no running event loop"):
        b.map([1])
    b.shutdown()


def test_results_may_be_a_mapping_by_key() -> None:
    def load(items: list[tuple[int, str]]) -> dict[int, str]:
        return {number: text.upper() for number, text in items}

    with Batcher(load, key=lambda item: item[0]) as b:
        assert b.map([(1, "a"), (2, "b")]).result() == ["A", "B"]

    def by_item(items: list[str]) -> dict[str, int | Exception]:
        return {item: ValueError(item) if item == "bad" else len(item) for item in items}

    with Batcher(by_item) as b2:
        good, bad = b2.submit("four"), b2.submit("bad")
        assert good.result() == 4
        with pytest.raises(ValueError, match="bad"):
            bad.result()


def test_any_iterable_of_results_will_do() -> None:
    def load(items: list[int]) -> Any:
        return (i * 10 for i in items)

    with Batcher(load) as b:
        assert b.map([1, 2]).result() == [10, 20]


def test_an_exception_among_the_results_is_raised_for_its_item_alone() -> None:
    def load(items: list[int]) -> list[int | Exception]:
        return [KeyError(i) if i % 2 else i for i in items]

    with Batcher(load) as b:
        even, odd = b.submit(2), b.submit(3)
        assert even.result() == 2
        with pytest.raises(KeyError, match="3"):
            odd.result()


def test_map_gives_all_results_in_order_or_the_first_error() -> None:
    def load(items: list[int]) -> list[int | Exception]:
        return [ValueError(f"no {i}") if i == 3 else i * 2 for i in items]

    with Batcher(load, max_batch_size=2) as b:
        assert b.map(range(3)).result() == [0, 2, 4]
        assert b.map([]).result() == []
        with pytest.raises(ValueError, match="no 3"):
            b.map([1, 3, 2]).result()
        got = b.map([1, 3, 2], return_exceptions=True).result()
        assert [str(g) for g in got] == ["2", "no 3", "4"]


def test_map_in_a_coroutine() -> None:
    async def load(items: list[int]) -> list[int]:
        return [i * i for i in items]

    async def main() -> list[int]:
        async with Batcher(load, max_batch_size=50) as b:
            return await b.map(range(200))

    assert asyncio.run(main()) == [i * i for i in range(200)]


def test_map_takes_any_iterable_and_raises_what_it_raises() -> None:
    def broken() -> Any:
        yield 1
        raise LookupError("no more")

    with Batcher(Downstream()) as b:
        assert b.map({5: "a", 6: "b"}).result() == [10, 12]
        with pytest.raises(LookupError, match="no more"):
            b.map(broken())
        with pytest.raises(TypeError, match="not iterable"):
            b.map(7)  # type: ignore[arg-type]


def test_equal_keys_in_flight_share_one_call() -> None:
    downstream = Downstream()
    with Batcher(downstream, dedupe=True) as b:
        first = occupied(b, downstream)
        same = [b.submit(7) for _ in range(5)]
        other = b.submit(8)
        downstream.go()
        assert first.result() == 0
        assert [f.result() for f in same] == [14] * 5
        assert other.result() == 16
        assert downstream.calls == [[0], [7, 8]]
        assert b.stats().dedupe_hits == 4


def test_keys_that_only_share_a_hash_are_told_apart() -> None:
    class Same:
        def __init__(self, text: str) -> None:
            self.text = text

        def __hash__(self) -> int:
            return 1

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Same) and other.text == self.text

        def __mul__(self, times: int) -> str:
            return self.text * times

    downstream = Downstream()
    with Batcher(downstream, dedupe=True) as b:
        first = occupied(b, downstream)
        futures = [b.submit(Same(text)) for text in "abab"]
        downstream.go()
        first.result()
        assert [f.result() for f in futures] == ["aa", "bb", "aa", "bb"]
    assert len(downstream.calls[1]) == 2


def test_without_a_key_nothing_is_shared_and_nothing_needs_a_hash() -> None:
    downstream = Downstream()
    with Batcher(downstream) as b:
        first = occupied(b, downstream)
        futures = [b.submit([1]), b.submit([1])]
        downstream.go()
        first.result()
        assert [f.result() for f in futures] == [[1, 1], [1, 1]]
        assert downstream.calls[1] == [[1], [1]]
    with Batcher(downstream, dedupe=True) as b, pytest.raises(TypeError, match="unhashable"):
        b.submit([1])


def test_a_cache_answers_without_a_call_and_keeps_no_errors() -> None:
    calls: list[int] = []

    def load(items: list[int]) -> list[int | Exception]:
        calls.extend(items)
        return [ValueError("odd") if i % 2 else i for i in items]

    with Batcher(load, cache=2) as b:
        assert b.submit(2).result() == 2
        assert b.submit(2).done()
        assert b.submit(2).result() == 2
        for _ in range(2):
            with pytest.raises(ValueError, match="odd"):
                b.submit(1).result()
        assert calls == [2, 1, 1]
        assert b.stats().cache_hits == 2
        b.submit(4).result()
        b.submit(2).result()  # used again: 4 is the oldest now
        b.submit(6).result()
        assert [b.submit(i).result() for i in (2, 6)] == [2, 6]
        assert calls == [2, 1, 1, 4, 6]
        b.submit(4).result()
        assert calls[-1] == 4


def test_a_cache_can_be_cleared_and_primed() -> None:
    downstream = Downstream()
    with Batcher(downstream, cache=Cache(10, ttl=3600.0)) as b:
        b.prime(1, "given")
        assert b.submit(1).result() == "given"
        b.clear(1)
        b.clear(99)
        assert b.submit(1).result() == 2
        assert b.submit(2).result() == 4
        b.clear()
        assert b.map([1, 2]).result() == [2, 4]
    assert downstream.calls == [[1], [2], [1, 2]]


def test_a_cached_result_ends_with_its_time_to_live() -> None:
    downstream = Downstream()
    with Batcher(downstream, cache=Cache(10, ttl=1e-9)) as b:
        assert b.submit(1).result() == 2
        assert b.submit(1).result() == 2
    assert downstream.calls == [[1], [1]]


def test_a_cached_result_needs_no_turn_of_the_loop() -> None:
    async def load(items: list[int]) -> list[int]:
        return items

    async def main() -> None:
        async with Batcher(load, cache=10) as b:
            assert await b(1) == 1
            future = b(1)
            assert future.done()
            assert await future == 1
            assert await b.map([1, 2]) == [1, 2]

    asyncio.run(main())


def test_higher_priorities_go_first() -> None:
    downstream = Downstream()
    with Batcher(downstream, max_batch_size=2) as b:
        first = occupied(b, downstream)
        futures = [b.submit(i, priority=p) for i, p in ((1, 0), (2, 0), (3, 5), (4, -1))]
        downstream.go()
        for future in (first, *futures):
            future.result()
    assert downstream.calls == [[0], [3, 1], [2, 4]]


def test_weights_fill_a_batch() -> None:
    downstream = Downstream()
    with Batcher(downstream, batch_size_fn=len, max_batch_weight=10) as b:
        first = occupied(b, downstream, "x")
        futures = [b.submit("a" * n) for n in (4, 5, 3, 10)]
        downstream.go()
        for future in (first, *futures):
            future.result()
    assert [[len(item) for item in call] for call in downstream.calls] == [[1], [4, 5], [3], [10]]


def test_a_window_waits_for_company_and_a_full_batch_does_not_wait() -> None:
    downstream = Downstream()
    with Batcher(downstream, batch_wait_timeout_s=3600.0, max_batch_size=3) as b:
        futures = [b.submit(i) for i in range(3)]
        assert [f.result(30) for f in futures] == [0, 2, 4]
        assert b.stats().reasons["size"] == 1
        late = b.submit(9)
        assert not late.done()
        b.configure(batch_wait_timeout_s=0.001)
        assert late.result(30) == 18
    assert downstream.calls == [[0, 1, 2], [9]]


def test_limits_change_while_it_runs() -> None:
    downstream = Downstream()
    with Batcher(downstream, max_batch_size=1) as b:
        first = occupied(b, downstream)
        futures = [b.submit(i) for i in range(1, 5)]
        b.configure(max_batch_size=4)
        downstream.go()
        for future in (first, *futures):
            future.result()
        assert downstream.calls == [[0], [1, 2, 3, 4]]
        with pytest.raises(InvalidArgument, match="max_batch_size must be an int of at least 1"):
            b.configure(max_batch_size=0, max_queue_size=7)
        b.configure(max_queue_size=1, on_full="reject")
        first = occupied(b, downstream)
        b.submit(1)
        with pytest.raises(QueueFull):
            b.submit(2).result()
        downstream.go()
        with pytest.raises(InvalidArgument, match="key cannot be changed"):
            b.configure(key=len)  # type: ignore[call-arg]


def test_a_rate_limit_makes_batches_grow() -> None:
    downstream = Downstream()
    with Batcher(downstream, rate_limit=RateLimit(1e-3, burst=2)) as b:
        assert b.submit(1).result() == 2
        assert b.submit(2).result() == 4
        waiting = [b.submit(i) for i in range(5)]
        assert b.stats().tokens < 1
        assert not any(f.done() for f in waiting)
        b.configure(rate_limit=None)
        assert [f.result(30) for f in waiting] == [0, 2, 4, 6, 8]
    assert downstream.calls == [[1], [2], [0, 1, 2, 3, 4]]


def test_several_batches_run_at_once_when_allowed() -> None:
    downstream = Downstream()
    with Batcher(downstream, max_concurrent_batches=2, max_batch_size=1) as b:
        downstream.stop()
        futures = [b.submit(i) for i in range(3)]
        downstream.wait_entered()
        downstream.wait_entered()
        eventually(lambda: b.stats().running == 2)
        assert len(downstream.calls) == 2
        downstream.go()
        assert [f.result() for f in futures] == [0, 2, 4]


def test_threads_share_a_batcher() -> None:
    with Batcher(Downstream()) as b:
        wrong: list[int] = []

        def work(start: int) -> None:
            for i in range(start, start + 200):
                if b.submit(i).result(60) != 2 * i:
                    wrong.append(i)

        threads = [threading.Thread(target=work, args=(1000 * t,)) for t in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert b.stats().completed == 1600


def test_the_identity_function_gives_back_the_very_object() -> None:
    item = object()
    with Batcher(identity()) as b:
        assert b.submit(item).result() is item
        assert b.map([item, item]).result() == [item, item]

    async def main() -> None:
        async with Batcher(identity()) as b:
            assert await b(item) is item
            assert await asyncio.gather(*(b(i) for i in range(100))) == list(range(100))

    asyncio.run(main())


def test_the_queue_keeps_no_references() -> None:
    import sys

    item = object()
    before = sys.getrefcount(item)
    with Batcher(lambda items: items, dedupe=True) as b:
        assert b.map([item] * 100).result()[99] is item
    with Batcher(identity()) as c:
        c.submit(item).result()
    assert sys.getrefcount(item) == before
