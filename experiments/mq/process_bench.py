"""How fast is the data processor, and what does plain pandas need for the same four files?

    python experiments/mq/process_bench.py                        # 1 M + 1 M rows, 5 rounds, both
    python experiments/mq/process_bench.py --rows 10000000 --rounds 3

Each round runs each program in a process of its own and reports seconds from start to exit, imports included,
and the peak of resident memory. The input is made once: 26-character ids, nine decimals, receipts in nearly
the order of sending. A good answer: 1 M + 1 M rows within 1 s, 10 M + 10 M within 12 s and 3 GiB.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

OURS = """
import sys
from headrace.mq.process import process
result = process(sys.argv[1], sys.argv[2], sys.argv[3])
assert result.exit_code == 0, result
"""


def generate(folder: Path, rows: int) -> tuple[Path, Path]:
    """Writes p.csv and c.csv: `rows` messages, a million per minute, received within some milliseconds."""
    producer, consumer = folder / "p.csv", folder / "c.csv"
    rng = np.random.default_rng(7)
    block = 200_000
    start = 1_617_516_000 * 10**9
    with producer.open("w") as p, consumer.open("w") as c:
        for first in range(0, rows, block):
            n = min(block, rows - first)
            number = np.arange(first, first + n)
            sent = start + number * 60_000 + rng.integers(0, 50_000, n)
            acked = sent + rng.integers(100_000, 900_000, n)
            received = sent + rng.integers(200_000, 5_000_000, n)
            done = received + rng.integers(10_000, 90_000, n)
            ids = [f"k3x9q2m7ab1c-03-{i:010d}" for i in number.tolist()]
            p.write(_lines(ids, sent, acked))
            order = np.argsort(received, kind="stable")
            c.write(_lines([ids[i] for i in order.tolist()], received[order], done[order]))
    return producer, consumer


def _lines(ids: list[str], first: np.ndarray, second: np.ndarray) -> str:
    columns = zip(ids, first.tolist(), second.tolist(), strict=True)
    return "".join(f"{i},{a // 10**9}.{a % 10**9:09d},{b // 10**9}.{b % 10**9:09d}\n" for i, a, b in columns)


def with_pandas(producer: str, consumer: str, out: str) -> None:
    """The same join as an analyst would write it; seconds as floats, so it resolves some 200 ns."""
    import pandas as pd

    sent = pd.read_csv(producer, names=["id", "sent", "acked"], dtype={"id": str})
    received = pd.read_csv(consumer, names=["id", "received", "receive_acked"], dtype={"id": str})
    sent = sent.sort_values("sent", kind="stable").drop_duplicates("id")
    received = received.sort_values("received", kind="stable")
    again = received[received.duplicated("id")]
    received = received.drop_duplicates("id")
    joined = sent.merge(received, on="id", how="outer", indicator=True)
    joined["processing_ms"] = (joined.received - joined.sent) * 1e3
    joined["send_ms"] = (joined.acked - joined.sent) * 1e3
    joined[["id", "processing_ms", "send_ms"]].to_csv(f"{out}/latencies.csv", index=False, float_format="%.6f")
    zero = sent.sent.min()
    seconds = pd.DataFrame(
        {
            "received": (joined.received - zero).dropna().floordiv(1).astype(int).value_counts(),
            "sent": (joined.sent - zero).dropna().floordiv(1).astype(int).value_counts(),
        }
    )
    seconds = seconds.reindex(range(int(seconds.index.max()) + 1)).fillna(0).astype(int)
    seconds.to_csv(f"{out}/throughput.csv", index_label="second")
    columns = [joined["processing_ms"], joined["send_ms"], seconds["received"], seconds["sent"]]
    figures = {c.name: [c.min(), c.max(), c.mean(), c.std()] for c in columns}
    pd.DataFrame(figures, index=["min", "max", "avg", "stddev"]).to_csv(f"{out}/summary.csv")
    problems = pd.concat([joined[joined._merge != "both"], again])
    problems.to_csv(f"{out}/problems.csv", index=False)


def measure(command: list[str]) -> tuple[float, float]:
    """Seconds until exit and peak resident MiB of the one child process."""
    begin = time.monotonic()
    child = subprocess.Popen(command)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"{command[0]} exited with {child.returncode}")
    return seconds, _mebibytes(usage)


def _mebibytes(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss / 1024  # Linux reports KiB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows per side")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=["ours", "pandas"], help="leave the other out")
    parser.add_argument("--keep", type=Path, help="make the input here and leave it")
    parser.add_argument("--as-pandas", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.as_pandas:
        return with_pandas(*args.as_pandas)
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        files = [str(path) for path in generate(folder, args.rows)]
        programs = {
            "ours": [sys.executable, "-c", OURS],
            "pandas": [sys.executable, __file__, "--as-pandas"],
        }
        results: dict[str, list[tuple[float, float]]] = {}
        for _ in range(args.rounds):
            for name, command in programs.items():
                if args.only not in (None, name):
                    continue
                out = folder / f"out-{name}"
                out.mkdir(exist_ok=True)
                results.setdefault(name, []).append(measure([*command, *files, str(out)]))
    print(f"{args.rows:,} + {args.rows:,} rows, {args.rounds} rounds")
    for name, runs in results.items():
        seconds = sorted(run[0] for run in runs)
        peak = max(run[1] for run in runs)
        middle = statistics.median(seconds)
        spread = f"from {seconds[0]:.2f} to {seconds[-1]:.2f}"
        print(f"{name:8} median {middle:7.2f} s  ({spread})  peak {peak:6.0f} MiB")
    return None


if __name__ == "__main__":
    main()
