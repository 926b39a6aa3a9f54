"""Keeps the CSVs of runs beside the experiment: ``python experiments/mq/store.py results/shape-1-1-... ...``.

For each run, ``stored/<experiment>/`` gets the processor's ``summary.csv`` and ``throughput.csv`` as they are, and one
archive with the CSVs of the three programs: ``producers.csv``, ``consumers.csv``, ``latencies.csv``, ``problems.csv``.
"""

from __future__ import annotations

import shutil
import sys
import tarfile
from pathlib import Path

import headrace

STORED = Path(__file__).parent / "stored"
PLAIN = ("summary.csv", "throughput.csv")
PACKED = ("producers.csv", "consumers.csv", "latencies.csv", "problems.csv")


def store(run_folder: Path) -> Path:
    """Stores the first case of a run and returns where."""
    run = headrace.results.load(run_folder)
    exports = sorted((run_folder / "exports").iterdir())[0]
    target = STORED / str(run.spec["experiment"]["name"])
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in PLAIN:
        shutil.copy(exports / name, target / name)
    with tarfile.open(target / "csv.tar.xz", "w:xz", preset=9) as archive:
        for name in PACKED:
            archive.add(exports / name, arcname=name, filter=_anonymous)
    return target


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        print(store(Path(argument)))
