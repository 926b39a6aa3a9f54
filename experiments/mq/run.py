"""Runs specs: `python experiments/mq/run.py shape-1-1.toml shape-1-5.toml`; without names, all the shapes."""

from __future__ import annotations

import sys
from pathlib import Path

from headrace import experiment
from headrace.cli import guard

HERE = Path(__file__).parent


def main() -> int:
    specs = [Path(name) for name in sys.argv[1:]] or sorted(HERE.glob("shape-*.toml"))
    runs = [experiment.run(spec if spec.exists() else HERE / spec) for spec in specs]
    for run in runs:
        print(f"{run.verdict.upper():18} {run.path}")
    return max(run.exit_code for run in runs)


if __name__ == "__main__":
    sys.exit(guard(main))
