"""Runs specs: `python experiments/batching/run.py pool.toml steps.toml`; without names, all of them."""

from __future__ import annotations

import sys
from pathlib import Path

from headrace import experiment
from headrace.cli import guard

HERE = Path(__file__).parent
COMPARISON = "side_by_side.toml"


def main() -> int:
    specs = [Path(name) for name in sys.argv[1:]] or sorted(p for p in HERE.glob("*.toml") if p.name != COMPARISON)
    runs = [experiment.run(spec if spec.exists() else HERE / spec) for spec in specs]
    for run in runs:
        print(f"{run.verdict.upper():18} {run.path}")
    return max(run.exit_code for run in runs)


if __name__ == "__main__":
    sys.exit(guard(main))
