"""Workloads without a batcher, for tests of the batching part's runner. The kind chooses what goes wrong.

"pool" completes everything, "deps" loses an item, "limited" breaks the downstream's limit, "sqlite" crashes half way,
"steps" goes on until it is stopped, "open-loop" starts too few items, "redis" raises.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any, Self

from headrace.errors import InvalidArgument
from headrace.experiment.batching.control import Control


class _Fake:
    def __init__(self, kind: str, settings: dict[str, Any]) -> None:
        self._kind, self._settings = kind, settings

    def __enter__(self) -> Self:
        if self._settings["max_queue_size"] == 1:
            raise InvalidArgument("a queue of one is too short")
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def run(self, control: Control) -> None:
        if self._kind == "sqlite":
            print("the floor gave way", file=sys.stderr, flush=True)
            os._exit(3)
        control.gauges = lambda: {"concurrency": 2, "batch_size": 10}
        items = 0
        while self._kind == "steps":
            items += 1
            control.counts = {"started": items, "done": items}
            time.sleep(0.005)
        count = self._settings["items"] if self._kind != "open-loop" else 100
        control.counts = {"started": count, "done": count}
        latency = control.recording.histogram("latency")
        for item in range(count):
            latency.record(1_000_000 + item)
        done = count - 1 if self._kind == "deps" else count
        control.recording.figures |= {
            "workload": self._kind,
            "items": count,
            "done": done,
            "batches": 10,
            "batch_size_avg": count / 10,
            "rate": 1000.0,
            "duration_s": count / 1000.0,
            "violations": 3 if self._kind == "limited" else 0,
        }
        if self._kind == "open-loop":
            control.recording.figures["offered_rate"] = self._settings["rate"] * 0.9


def _made(kind: str) -> Any:
    return lambda settings: _Fake(kind, settings)


WORKLOADS = {kind: _made(kind) for kind in ("pool", "deps", "limited", "sqlite", "steps", "open-loop", "redis")}
