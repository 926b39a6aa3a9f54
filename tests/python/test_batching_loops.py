"""The loops count what they say, and the open loop keeps its schedule."""

from __future__ import annotations

import asyncio

import pytest

from headrace.experiment.batching import loops
from headrace.experiment.batching.open_loop import clumps, offered_rate, open_loop


async def identity(item: int) -> int:
    return item


def test_a_closed_loop_calls_every_item_once_whatever_the_shares():
    seen: list[int] = []

    async def call(item: int) -> int:
        seen.append(item)
        await asyncio.sleep(0)
        return item

    tally = asyncio.run(loops.closed(call, 1003, 64))
    assert sorted(seen) == list(range(1003))
    assert (tally.items, tally.done, tally.wrong, tally.failed) == (1003, 1003, 0, 0)
    assert len(tally.response_ns) == 64
    assert tally.rate > 0


def test_a_result_of_another_item_is_wrong():
    async def call(item: int) -> int:
        return item + (item == 7)

    tally = asyncio.run(loops.closed(call, 40, 4))
    assert (tally.done, tally.wrong) == (39, 1)


def test_lookups_ask_for_each_record_in_turn_and_count_the_value_of_another():
    asked: list[str] = []

    async def call(key: str) -> bytes:
        asked.append(key)
        await asyncio.sleep(0)
        return b"2" if key == "c" else key.encode()

    tally = asyncio.run(loops.lookups(call, 300, 7, ["a", "b", "c"], [b"a", b"b", b"c"]))
    assert sorted(asked) == sorted(["a", "b", "c"] * 100)
    assert (tally.items, tally.done, tally.wrong, tally.failed) == (300, 200, 100, 0)


def test_map_counts_items_and_looks_at_each():
    async def many(items):
        return [item if item != 3 else None for item in items]

    tally = asyncio.run(loops.mapped(many, 25, 10))
    assert (tally.items, tally.done, tally.wrong) == (25, 24, 1)


def test_threads_call_every_item_and_count_errors():
    def call(item: int) -> int:
        if item == 5:
            raise ValueError("five")
        return item

    tally = loops.threaded(call, 40, 4)
    assert (tally.items, tally.done, tally.failed, tally.first_error) == (40, 39, 1, "ValueError: five")


def test_clumps_add_up_to_the_load_in_order():
    plan = clumps([(2500.0, 0.01), (1000.0, 0.005)], 1_000)
    assert sum(count for *_, count in plan) == 30
    assert [first for _, first, _ in plan] == [sum(c for *_, c in plan[:n]) for n in range(len(plan))]
    assert plan[0][0] == 1_000
    assert plan[-1][0] < 1_000 + 15_000_000
    assert {count for _, _, count in plan} <= {1, 2, 3}


def test_a_schedule_that_ends_late_offered_less():
    assert offered_rate([(100.0, 1.0)], 0.0) == 100
    assert offered_rate([(100.0, 1.0)], 0.25) == 80


def test_an_open_loop_starts_everything_and_takes_off_the_downstreams_time():
    async def request(item: int) -> tuple[int, int]:
        await asyncio.sleep(0.02)
        return item, 20_000_000

    tally = asyncio.run(open_loop(request, [(500.0, 0.2)], expected=loops.same))
    assert (tally.items, tally.done, tally.wrong, tally.failed) == (100, 100, 0, 0)
    assert min(tally.response_ns) >= 20_000_000
    assert all(r - latency == 20_000_000 for r, latency in zip(tally.response_ns, tally.latency_ns, strict=True))
    assert tally.seconds >= 0.2


def test_requests_that_never_end_stay_unaccounted_for():
    async def request(item: int) -> tuple[int, int]:
        if item == 3:
            await asyncio.get_running_loop().create_future()
        if item == 4:
            raise ConnectionError("gone")
        return item, 0

    tally = asyncio.run(open_loop(request, [(1000.0, 0.01)], expected=loops.same, grace_s=0.1))
    assert (tally.items, tally.done, tally.failed) == (10, 8, 1)


def test_milliseconds_are_exact_ranks():
    got = loops.milliseconds(range(1_000_000, 101_000_000, 1_000_000))
    assert got == pytest.approx({"p50": 50.0, "p99": 99.0, "p99.9": 100.0, "max": 100.0})
