"""Every waiter completes exactly once, whatever happens: a ledger over many items, and a model driven by hypothesis."""

from __future__ import annotations

import asyncio
import collections
import random
import threading
from typing import Any

import pytest
from batch_helpers import eventually
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from headrace.batch import Batcher, OnFull
from headrace.errors import Cancelled, DeadlineExceeded, QueueFull


class Unlucky(Exception):
    """What the batch functions of this file raise on purpose."""


def answer(items: list[int], luck: random.Random) -> list[int | Exception]:
    """Doubles; now and then an item, or the whole batch, fails."""
    if luck.random() < 0.02:
        raise Unlucky("batch")
    return [Unlucky("item") if luck.random() < 0.05 else item * 2 for item in items]


def ended_as(item: int, outcome: Any) -> str:
    """The name of an outcome that the ledger knows; anything else fails the test."""
    if isinstance(outcome, BaseException):
        known = (Unlucky, DeadlineExceeded, QueueFull, Cancelled, asyncio.CancelledError)
        assert isinstance(outcome, known), repr(outcome)
        return type(outcome).__name__
    assert outcome == 2 * item
    return "result"


@pytest.mark.parametrize("asynchronous", [False, True], ids=["plain", "async"])
@pytest.mark.parametrize("on_full", ["wait", "reject", "drop_oldest"])
def test_a_ledger_of_coroutines(on_full: OnFull, asynchronous: bool) -> None:
    luck = random.Random(4)
    completions: collections.Counter[int] = collections.Counter()
    ledger: collections.Counter[str] = collections.Counter()

    def plain(items: list[int]) -> list[int | Exception]:
        return answer(items, luck)

    async def suspending(items: list[int]) -> list[int | Exception]:
        for _ in range(luck.randrange(4)):
            await asyncio.sleep(0)
        return answer(items, luck)

    async def client(b: Batcher[int, Any], start: int) -> None:
        for item in range(start, start + 100):
            task = asyncio.ensure_future(b.submit(item, timeout=luck.choice([None, 1e-4, 5.0]), priority=item % 3))
            fate = luck.random()
            if fate < 0.1:
                task.cancel()
            elif fate < 0.2:
                asyncio.get_running_loop().call_soon(task.cancel)
            try:
                outcome: Any = await task
            except (Exception, asyncio.CancelledError) as error:
                outcome = error
            completions[item] += 1
            ledger[ended_as(item, outcome)] += 1

    async def main() -> None:
        function: Any = suspending if asynchronous else plain
        async with Batcher(function, max_batch_size=16, max_queue_size=32, on_full=on_full) as b:
            await asyncio.gather(*(client(b, 100 * n) for n in range(100)))
            assert b.stats().depth == 0

    asyncio.run(main())
    assert set(completions.values()) == {1}
    assert len(completions) == sum(ledger.values()) == 10_000
    assert ledger["result"] > 0
    assert ledger["CancelledError"] > 0


def test_a_ledger_of_threads() -> None:
    ledger: collections.Counter[str] = collections.Counter()
    lock = threading.Lock()

    def client(b: Batcher[int, Any], start: int) -> None:
        luck = random.Random(start)
        mine: collections.Counter[str] = collections.Counter()
        for item in range(start, start + 300):
            future = b.submit(item, timeout=luck.choice([None, 1e-4, 5.0]))
            if luck.random() < 0.2 and future.cancel():
                assert future.cancelled()
                mine["cancelled"] += 1
                continue
            try:
                outcome: Any = future.result(60)
            except Exception as error:
                outcome = error
            mine[ended_as(item, outcome)] += 1
        with lock:
            ledger.update(mine)

    luck = random.Random(7)
    with Batcher(lambda items: answer(items, luck), max_concurrent_batches=(1, 4), dedupe=True) as b:
        threads = [threading.Thread(target=client, args=(b, 1000 * n)) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(ledger.values()) == 16 * 300
        eventually(lambda: b.stats().depth == 0, "an empty queue")
        assert b.stats().submitted <= 16 * 300


class BatcherMachine(RuleBasedStateMachine):
    """A batcher whose function is stopped between steps, against a model of its queue."""

    futures = Bundle("futures")

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[list[Any]] = []
        self.arrived = threading.Semaphore(0)
        self.permits = threading.Semaphore(0)
        self.waiting: list[tuple[int, Any]] = []  # in the order in which they will leave
        self.running: list[tuple[int, Any]] = []
        self.number = 0
        self.failing = False

    @initialize(size=st.integers(1, 5))
    def make(self, size: int) -> None:
        self.size = size
        self.batcher: Batcher[int, int] = Batcher(self.function, max_batch_size=size)

    def function(self, items: list[int]) -> list[int]:
        self.calls.append(items)
        self.arrived.release()
        assert self.permits.acquire(timeout=60)
        if self.failing:
            raise Unlucky("batch")
        return [item * 2 for item in items]

    def begin(self) -> None:
        """The model's next batch, which the function must have been called with."""
        if self.running or not self.waiting:
            return
        self.running, self.waiting = self.waiting[: self.size], self.waiting[self.size :]
        assert self.arrived.acquire(timeout=60), "the function was not called"
        assert self.calls[-1] == [item for item, _ in self.running]

    @rule(target=futures)
    def submit(self) -> tuple[int, Any]:
        self.number += 1
        made = (self.number, self.batcher.submit(self.number))
        self.waiting.append(made)
        self.begin()
        return made

    @rule(target=futures, count=st.integers(0, 7))
    def submit_map(self, count: int) -> tuple[int, Any]:
        items = list(range(self.number + 1, self.number + 1 + count))
        self.number += count
        future = self.batcher.map(items)
        if not items:
            assert future.result() == []
        self.waiting += [(item, None) for item in items]
        self.begin()
        return (-count, future)

    @rule(chosen=consumes(futures))
    def cancel(self, chosen: tuple[int, Any]) -> None:
        item, future = chosen
        if item <= 0:  # a map
            return
        was_done = future.done()
        assert future.cancel() is not was_done
        self.waiting = [other for other in self.waiting if other != chosen]

    @rule(failing=st.booleans())
    def let_one_batch_go(self, failing: bool) -> None:
        if not self.running:
            return
        self.failing = failing
        ended, self.running = self.running, []
        following = self.waiting[: self.size]
        self.permits.release()
        for item, future in ended:
            if future is None or future.cancelled():
                continue
            if failing:
                with pytest.raises(Unlucky):
                    future.result(60)
            else:
                assert future.result(60) == 2 * item
        assert self.waiting[: self.size] == following
        self.begin()

    @rule(size=st.integers(1, 5))
    def configure(self, size: int) -> None:
        self.size = size
        self.batcher.configure(max_batch_size=size)

    @invariant()
    def what_waits_is_not_done(self) -> None:
        assert not any(future.done() for _, future in self.waiting if future is not None)

    def teardown(self) -> None:
        if not hasattr(self, "batcher"):
            return
        self.failing = False
        self.permits.release(1000)
        self.batcher.shutdown()
        assert all(future.result(0) == 2 * item for item, future in self.waiting if future is not None)
        assert self.batcher.stats().depth == 0


TestBatcherMachine = BatcherMachine.TestCase
TestBatcherMachine.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
