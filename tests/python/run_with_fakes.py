"""``python run_with_fakes.py OUT KEY=VALUE...``: one case with the fake programs, as `headrace run` does."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from headrace import experiment
from headrace.cli import guard
from headrace.cli.runs import exit_code_of


def main() -> int:
    out = Path(sys.argv[1])
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    data = {"experiment": {"name": "fake"}, "case": {"url": f"inproc://{out}/queue", "timeout": 60.0}}
    spec = experiment.parse_spec(data, overrides=sys.argv[2:])
    return exit_code_of(experiment.run(spec, out=out, programs="fakes"))


if __name__ == "__main__":
    sys.exit(guard(main))
