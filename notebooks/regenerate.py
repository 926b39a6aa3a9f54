"""Makes the stored runs that the notebooks read: ``python notebooks/regenerate.py [NAME ...]``, a minute for all.

NAME is that of a spec beside this file, without its ending. It keeps what the notebooks need: no exports, of the
segments only histograms, and nothing that names the machine's owner.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

import headrace

HERE = Path(__file__).parent
SPECS = ("mq-shapes", "batching-steps", "http-executors")
KEPT = ("samples.parquet", "series.parquet", "summary.csv", "summary.json")


def main() -> int:
    for name in sys.argv[1:] or SPECS:
        with tempfile.TemporaryDirectory() as folder:
            run = headrace.experiment.run(HERE / f"{name}.toml", out=folder)
            if run.exit_code != 0 or run.path is None:
                sys.stderr.write(f"not stored, because the run is {run.verdict}: {'; '.join(run.reasons)}\n")
                return run.exit_code
            store(run.path, HERE / "data" / name)
    return 0


def store(source: Path, target: Path) -> None:
    """Replaces ``target`` by the small part of the run folder ``source``."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in KEPT:
        shutil.copy(source / name, target / name)
    for histogram in source.glob("segments/*/*.hist"):
        kept = target / histogram.relative_to(source)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(histogram, kept)
    document = json.loads((source / "run.json").read_text(encoding="utf-8"))
    document["process"] = {}
    document["machine"]["host"] = None
    document["machine"]["kernel"] = document["machine"]["kernel"].split("-")[0]
    document["command"] = ["headrace", "run", f"notebooks/{target.name}.toml"]
    document["server"] = _without_paths(document["server"] or {})
    for case in document["cases"]:
        case["facts"].get("extra", {}).pop("server", None)
    (target / "run.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _without_paths(config: dict[str, object]) -> dict[str, object]:
    return {k: v for k, v in config.items() if not (isinstance(v, str) and v.startswith(("/", "unix:")))}


if __name__ == "__main__":
    raise SystemExit(main())
