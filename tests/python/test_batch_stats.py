"""What a batcher tells about itself, and what it refuses to be told."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from batch_helpers import Downstream, occupied

import headrace
from headrace.batch import Batcher, Cache, RateLimit
from headrace.errors import InvalidArgument


def test_stats_account_for_every_item() -> None:
    downstream = Downstream()
    with Batcher(downstream, name="numbers", dedupe=True, max_batch_size=3) as b:
        first = occupied(b, downstream)
        b.submit(1).cancel()
        futures = [b.submit(i) for i in (2, 2, 3, 4)]
        s = b.stats()
        assert (s.depth, s.running, s.concurrency) == (4, 1, 1)
        assert s.saturation == 1.0
        assert s.tokens == math.inf
        downstream.go()
        for future in (first, *futures):
            future.result()
        s = b.stats()
        assert (s.submitted, s.completed, s.failed, s.cancels, s.dedupe_hits) == (6, 5, 1, 1, 1)
        assert (s.batches, s.reasons["idle"] + s.reasons["size"]) == (2, 2)
        assert s.batch_size.count == s.service.count == 2
        assert s.batch_size.max == 3
        assert s.items_per_batch == 2.0
        assert s.wait.count == 4
        assert s.service.percentile(50) > 0
        assert "6 submitted" in repr(s)
        assert re.search(r"<caption>numbers</caption>.*<th>submitted</th><td>6</td>", s._repr_html_())
        assert b._repr_html_() == b.stats()._repr_html_()
        assert "6 items in 2 batches" in repr(b)


def test_prometheus_text_parses_and_agrees() -> None:
    with (
        Batcher(Downstream(), name='quo"te') as one,
        Batcher(Downstream(), name="other", rate_limit=RateLimit(10, burst=5)) as two,
    ):
        one.map(range(10)).result()
        two.submit(1).result()
        text = headrace.batch.prometheus()
        assert 'headrace_batch_submitted_total{batcher="quo\\"te"} 10' in text
        assert 'headrace_batch_batches_total{batcher="other",reason="idle"} 1' in text
        assert 'headrace_batch_rate_limit_tokens{batcher="quo\\"te"} +Inf' in text
        assert 'headrace_batch_batch_size_items_bucket{batcher="quo\\"te",le="8"} 0' in text
        assert 'headrace_batch_batch_size_items_bucket{batcher="quo\\"te",le="16"} 1' in text
        assert 'headrace_batch_batch_size_items_sum{batcher="quo\\"te"} 10.0' in text
        sample = re.compile(r'^headrace_batch_\w+\{batcher="[^{}]*"\} (\+Inf|[0-9.e+-]+)$')
        for line in text.splitlines():
            assert line.startswith("# ") or sample.match(line), line
        assert text.count("# TYPE headrace_batch_wait_seconds histogram") == 1
        assert "other" not in one.prometheus()


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "size": ({"max_batch_size": 0}, "max_batch_size must be an int of at least 1"),
    "bool": ({"max_batch_size": True}, "max_batch_size"),
    "queue": ({"max_queue_size": -1}, "max_queue_size"),
    "window": ({"batch_wait_timeout_s": -0.1}, "batch_wait_timeout_s must not be negative"),
    "nan": ({"batch_wait_timeout_s": math.nan}, "batch_wait_timeout_s"),
    "policy": ({"on_full": "explode"}, "'wait', 'reject' or 'drop_oldest'"),
    "timeout": ({"timeout": 0.0}, "timeout must be greater than 0"),
    "concurrency": ({"max_concurrent_batches": (3, 2)}, "3 > 2"),
    "concurrency zero": ({"max_concurrent_batches": 0}, "max_concurrent_batches"),
    "concurrency three": ({"max_concurrent_batches": (1, 2, 3)}, r"\(min, max\)"),
    "rate": ({"rate_limit": 5}, "must be a RateLimit"),
    "key": ({"key": "id"}, "key must be a function"),
    "weight": ({"max_batch_weight": 5}, "needs a batch_size_fn"),
    "weight function": ({"batch_size_fn": len}, "needs a max_batch_weight"),
    "cache": ({"cache": 0}, "cache size must be an int of at least 1"),
    "cache without dedupe": ({"cache": 5, "dedupe": False}, "implies dedupe"),
}


@pytest.mark.parametrize("case", BAD)
def test_settings_outside_their_range_are_refused(case: str) -> None:
    settings, message = BAD[case]
    with pytest.raises(InvalidArgument, match=message):
        Batcher(Downstream(), **settings)


def test_values_outside_their_range_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="rate must be greater than 0"):
        RateLimit(0)
    with pytest.raises(InvalidArgument, match="burst must be at least 1"):
        RateLimit(5, burst=0.5)
    with pytest.raises(InvalidArgument, match="'batch' or 'item'"):
        RateLimit(5, per="hour")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="ttl must be greater than 0"):
        Cache(5, ttl=0)
    with pytest.raises(InvalidArgument, match="must be callable"):
        Batcher(7)  # type: ignore[arg-type]


def test_calls_are_checked() -> None:
    with Batcher(Downstream()) as b:
        for arguments, named, message in (
            ((), {}, "item"),
            ((1, 2), {}, "positional"),
            ((1,), {"timeout": -1}, "timeout must not be negative"),
            ((1,), {"timeout": "x"}, "real number"),
            ((1,), {"priority": 10**6}, "priority"),
            ((1,), {"nonsense": 1}, "nonsense"),
        ):
            for call in (b, b.submit):
                with pytest.raises((TypeError, ValueError), match=message):
                    call(*arguments, **named)  # type: ignore[operator]
        assert b(item=4, timeout=5, priority=-3).result() == 8
        assert b.submit(item=4).result() == 8
        assert b.map(items=[1], timeout=5).result() == [2]
        with pytest.raises(ValueError, match="no cache"):
            b.prime(1, 2)
        b.clear()
