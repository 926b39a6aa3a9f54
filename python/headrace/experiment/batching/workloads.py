"""The workloads of the batching part: each drives a batcher, counts, and records (``control.Workload``)."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

from headrace.experiment.batching import loops, store
from headrace.experiment.batching.control import Control
from headrace.experiment.batching.downstream import Downstream, Strict
from headrace.experiment.batching.loops import Tally
from headrace.experiment.batching.open_loop import open_loop
from headrace.experiment.batching_case import BatchingCase, parse_steps
from headrace.measure import Histogram
from headrace.results.batching_figures import REASONS


def batch_module() -> Any:
    """``headrace.batch``, loaded by the process that measures it and by nobody else."""
    return importlib.import_module("headrace.batch")


class Pool:
    """Calls of a function that answers batches: the seed's pool benchmark."""

    def __init__(self, settings: dict[str, Any]) -> None:
        known = BatchingCase.__dataclass_fields__
        self.case = BatchingCase(**{k: v for k, v in settings.items() if k in known})
        self.settings = settings
        self.tally = Tally()
        self.downstream = self._downstream()
        self._stack = ExitStack()
        self._batcher: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def run(self, control: Control) -> None:
        """Drives the batcher in the way of the case, and records what came of it also when it is interrupted."""
        control.gauges = lambda: self._gauges(control)
        try:
            if self.case.call == "threads":
                self._threads()
            else:
                loops.run(self._coroutines(), self.case.loop)
        finally:
            self._record(control)

    def function(self) -> Any:
        """What answers a batch: native code, a plain function or a coroutine function."""
        if self.case.function == "native":
            return batch_module().identity()
        return self.downstream.call if self.case.function == "python" else self.downstream.call_async

    def expected(self, item: int) -> Any:
        """The right answer to an item."""
        return item

    def keyed(self) -> dict[str, Any]:
        """How the batcher tells which items are equal."""
        keys = self.case.keys
        return {"key": lambda item: item % keys}

    async def item(self, item: int) -> Any:
        """One item without a batcher: a call of the downstream for itself."""
        return (await self.downstream.call_async([item]))[0]

    def _downstream(self) -> Downstream:
        return Downstream(self.case.service_s, self.case.item_s)

    def _make(self) -> Any:
        module, case = batch_module(), self.case
        least, most = case.min_concurrent_batches, case.max_concurrent_batches
        limit = module.RateLimit(case.rate_limit, burst=case.burst) if case.rate_limit > 0 else None
        self._batcher = module.Batcher(
            self.function(),
            max_batch_size=case.max_batch_size,
            batch_wait_timeout_s=case.batch_wait_timeout_s,
            max_concurrent_batches=most if least == most else (least, most),
            max_queue_size=case.max_queue_size,
            on_full=case.on_full,
            rate_limit=limit,
            name=case.workload,
            **(self.keyed() if case.keys else {}),
        )
        return self._batcher

    def _threads(self) -> None:
        with self._make() as batcher:
            submit = batcher.submit

            def call(item: int) -> Any:
                return submit(item).result()

            loops.threaded(call, self.case.items, self.case.callers, expected=self.expected, tally=self.tally)

    async def _coroutines(self) -> None:
        if self.case.call == "item":
            await self.drive(self.item)
            return
        async with self._make() as batcher:
            await self.drive(batcher)

    async def drive(self, call: Any) -> None:
        """The loop of the workload, within the event loop; ``call(item)`` gives an awaitable."""
        case, expected = self.case, loops.same if self._is_identity() else self.expected
        if case.call == "map":
            size = min(1000, case.items)
            await loops.mapped(self._batcher.map, case.items, size, tally=self.tally)
            return
        await loops.closed(call, case.items, case.callers, expected=expected, tally=self.tally)

    def _is_identity(self) -> bool:
        return type(self).expected is Pool.expected

    def _gauges(self, control: Control) -> dict[str, Any]:
        tally = self.tally
        control.counts = {"started": tally.items, "done": tally.done, "failed": tally.failed + tally.wrong}
        found: dict[str, Any] = {"concurrency": self.downstream.running, **self.downstream.since_last()}
        if self._batcher is not None:
            stats = self._batcher.stats()
            found |= {"concurrency": stats.running, "limit": stats.concurrency, "depth": stats.depth}
        return found

    def _record(self, control: Control) -> None:
        tally, recording = self.tally, control.recording
        if tally.start_ns == 0:
            return
        if tally.end_ns == 0:
            tally.finish()
        figures = loops.figures(tally)
        recording.figures |= {name: figures[name] for name in _KEPT if figures[name] is not None}
        recording.figures |= {"workload": self.case.workload, "call": self.case.call, "duration_s": tally.seconds}
        for name, values in (("response", tally.response_ns), ("latency", tally.latency_ns)):
            if values:
                recording.histogram(name).record_many(loops.as_array(values))
        recording.figures |= self._calls()
        control.counts = {"started": tally.items, "done": tally.done, "failed": tally.failed + tally.wrong}

    def _calls(self) -> dict[str, Any]:
        """Batches as the downstream counted them, or as the batcher did where the downstream is native."""
        seen = self.downstream
        found: dict[str, Any] = {"violations": seen.violations}
        if seen.calls:
            found |= {"batches": seen.calls, "batch_size_avg": seen.items / seen.calls, "batch_size_max": seen.largest}
            found["concurrency_max"] = seen.most
        if self._batcher is None:
            return found
        stats = self._batcher.stats()
        sizes: Histogram = stats.batch_size
        if not seen.calls and stats.batches:
            found |= {"batches": stats.batches, "batch_size_avg": sizes.mean, "batch_size_max": sizes.max}
        found |= {f"by_{reason}": stats.reasons.get(reason, 0) for reason in REASONS}
        return found | {"dedupe_hits": stats.dedupe_hits}


_KEPT: Final = (
    *("items", "done", "wrong", "failed", "rejected", "first_error"),
    *("rate", "offered_rate", "cpu_cores", "cpu_us"),
)


class Lookups(Pool):
    """Concurrent lookups of records, all of them in turn or the first ``keys`` again and again."""

    def keyed(self) -> dict[str, Any]:
        return {"dedupe": True}

    def record(self, item: int) -> int:
        """The number of the record that an item is about."""
        return item % (self.case.keys or store.RECORDS)


class Redis(Lookups):
    """Concurrent GETs: n of them become one MGET; "item" sends each for itself on the same connection."""

    def __enter__(self) -> Self:
        store.fill_redis(self.settings["url"])
        return self

    def expected(self, item: int) -> Any:
        return store.value(self.record(item))

    async def _coroutines(self) -> None:
        aio = importlib.import_module("headrace.redis.aio")
        async with aio.Client(self.settings["url"]) as client:
            self._client = client
            await super()._coroutines()

    def function(self) -> Any:
        return batch_module().redis_get(self._client)

    async def item(self, item: int) -> Any:
        return await self._client.execute("GET", store.key(self.record(item)))

    async def drive(self, call: Any) -> None:
        case = self.case
        if case.call == "item":
            await loops.closed(self.item, case.items, case.callers, expected=self.expected, tally=self.tally)
            return
        records = case.keys or store.RECORDS
        keys, values = store.KEYS[:records], store.VALUES[:records]
        await loops.lookups(call, case.items, case.callers, keys, values, tally=self.tally)


class Sqlite(Lookups):
    """Concurrent lookups: n of them become one query; "item" makes one query each with the standard library."""

    def __enter__(self) -> Self:
        self._path = Path(self.settings["folder"]) / "records.db"
        store.fill_sqlite(self._path)
        return self

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        for path in self._path.parent.glob(f"{self._path.name}*"):  # also what WAL left beside it
            path.unlink()

    def expected(self, item: int) -> Any:
        record = self.record(item)
        return (record, store.value(record))

    def function(self) -> Any:
        return batch_module().sqlite(self._path, store.QUERY.format("?"))

    async def item(self, item: int) -> Any:
        return self._database.execute(store.QUERY.format("?"), (self.record(item),)).fetchone()

    async def drive(self, call: Any) -> None:
        import sqlite3

        self._database = sqlite3.connect(self._path)
        records = self.case.keys or store.RECORDS
        one = self.item if self.case.call == "item" else lambda item: call(item % records)
        await loops.closed(one, self.case.items, self.case.callers, expected=self.expected, tally=self.tally)
        self._database.close()


class OpenLoop(Pool):
    """One task per request, on a schedule; the downstream tells each item how long its batch took."""

    def _downstream(self) -> Downstream:
        return Downstream(self.case.service_s, self.case.item_s, timed=True)

    def steps(self) -> list[tuple[float, float]]:
        """(requests/s, seconds) of the schedule."""
        return [(self.case.rate, self.case.seconds)]

    async def drive(self, call: Any) -> None:
        native = self.case.function == "native"

        async def plain(item: int) -> tuple[Any, int]:
            return await call(item), 0

        async def timed(item: int) -> tuple[Any, int]:
            found: tuple[Any, int] = await call(item)
            return found

        request = plain if native else timed
        await open_loop(request, self.steps(), expected=loops.same, tally=self.tally)


class Steps(OpenLoop):
    """A load that goes up and down, and a batcher that adapts to it."""

    def steps(self) -> list[tuple[float, float]]:
        return parse_steps(self.case.steps)


class Limited(Pool):
    """A downstream that counts every call beyond its limit.

    It has the rate that the batcher is told, and one call more of burst: calls are let through at the right times,
    and the first of two may be delivered later than the second. Without that call a punctual pair would break it.
    """

    def _downstream(self) -> Downstream:
        return Strict(self.case.rate_limit, self.case.burst + 1, self.case.service_s, self.case.item_s)


class Deps:
    """A tree of units, each sleeping after those it depends on: the seed's deps benchmark."""

    def __init__(self, settings: dict[str, Any]) -> None:
        known = BatchingCase.__dataclass_fields__
        self.case = BatchingCase(**{k: v for k, v in settings.items() if k in known})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def run(self, control: Control) -> None:
        case = self.case
        self._tree(1)  # loads the module and starts its threads
        begin, cpu = time.monotonic_ns(), time.process_time()
        done = self._tree(case.levels)
        seconds, cpu = (time.monotonic_ns() - begin) / 1e9, time.process_time() - cpu
        control.counts = {"started": case.total, "done": done}
        control.recording.figures |= {
            "workload": "deps",
            "call": "graph",
            "items": case.total,
            "done": done,
            "duration_s": seconds,
            "rate": done / seconds,
            "tree_ms": seconds * 1e3,
            "ideal_s": (case.levels + 1) * case.unit_s,
            "cpu_cores": cpu / seconds,
            "cpu_us": cpu / case.total * 1e6,
        }

    def _tree(self, levels: int) -> int:
        """Runs the tree with one Python callback per unit; how many units ran."""
        branches, unit_s = self.case.branches, self.case.unit_s
        ran = 0

        def unit() -> None:
            nonlocal ran
            ran += 1

        with importlib.import_module("headrace.graph").Graph() as graph:
            submit = graph.submit

            def grow(level: int) -> Any:
                below = [grow(level - 1) for _ in range(branches)] if level else ()
                return submit(unit, deps=below, delay_s=unit_s)

            grow(levels).result()
        return ran


WORKLOADS: Final[dict[str, Callable[[dict[str, Any]], Any]]] = {
    "pool": Pool,
    "deps": Deps,
    "redis": Redis,
    "sqlite": Sqlite,
    "open-loop": OpenLoop,
    "steps": Steps,
    "limited": Limited,
}
