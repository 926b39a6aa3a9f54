"""Headrace and its rivals in turn: medians, ratios, bars reached or missed. About ten minutes; a group takes less.

    python experiments/batching/side_by_side.py
    python experiments/batching/side_by_side.py --only await-asyncio redis --rounds 9

The groups, who takes part and what is demanded stand in side_by_side.toml. Every round runs each contender once,
forwards and backwards in turn, so that a noisy minute hits all of them; the bars compare medians. Who cannot run here
is left out, with the reason, and the bars that speak of it are not judged.

Exit status: 0 all bars reached (or none could be judged), 1 a bar was missed or a run failed, 2 bad usage.
"""

from __future__ import annotations

import sys
from pathlib import Path

from headrace.experiment.side_by_side import needs
from headrace.experiment.side_by_side.program import Experiment, main
from headrace.experiment.side_by_side.tables import Shown

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PEERS, BUILT = HERE / "peers", ROOT / "build" / "peers"
NEEDS = {
    "aiodataloader": needs.module("aiodataloader", "aiodataloader"),
    "strawberry": needs.module("strawberry", "strawberry-graphql"),
    "uvloop": needs.module("uvloop", "uvloop"),
    "redis-py": needs.module("redis", "redis[hiredis]"),
    "ray": needs.module("ray", "ray[serve]"),
    "batch_bench": needs.bench(ROOT, "batch_bench"),
    "graph_bench": needs.bench(ROOT, "graph_bench"),
    "pool_go": needs.go(PEERS / "pool_go", BUILT / "pool_go"),
    "deps_go": needs.go(PEERS / "deps_go", BUILT / "deps_go"),
    "ioredis": needs.npm("ioredis", "5", BUILT / "node"),
}
COLUMNS = (
    Shown("items/s", "rate", "{:,.0f}"),
    Shown("p50 us", "response_p50_us", "{:,.1f}"),
    Shown("p99 us", "response_p99_us", "{:,.1f}"),
    Shown("CPU us/item", "cpu_us", "{:.2f}"),
    Shown("CPU cores", "cpu_cores", "{:.2f}"),
    Shown("latency p50 ms", "latency_p50_ms", "{:.3f}"),
    Shown("p99 ms", "latency_p99_ms", "{:.3f}"),
    Shown("p99.9 ms", "latency_p99.9_ms", "{:.3f}"),
    Shown("items/call", "batch_size_avg", "{:.1f}"),
    Shown("tree ms", "tree_ms", "{:.2f}"),
)
BASIS = """\
items/s        items that completed with their own result, over the time of the loop
p50, p99 us    start to completion of a call; in the closed loops of every 128th
CPU            user and system of the whole process while the loop ran
latency        open loop: completion minus intended start minus the downstream's own time
Figures of the native benchmarks are in the lines of their bars"""

MUST: tuple[tuple[str, str | int], ...] = (("done", "items"), ("wrong", 0), ("failed", 0), ("violations", 0))

if __name__ == "__main__":
    sys.exit(main(Experiment(HERE, __doc__ or "", COLUMNS, BASIS, NEEDS, MUST)))
