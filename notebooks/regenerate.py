"""Makes the stored run that mq.ipynb reads: ``python notebooks/regenerate.py``, about half a minute.

It runs two shapes, three times each, on a private Redis, and keeps what the notebook needs: no segments, no exports,
and nothing that names the machine's owner.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

import headrace

HERE = Path(__file__).parent
SPEC = HERE / "mq-shapes.toml"
KEPT = ("samples.parquet", "series.parquet", "summary.csv", "summary.json")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        run = headrace.experiment.run(SPEC, out=folder)
        if run.exit_code != 0 or run.path is None:
            sys.stderr.write(f"not stored, because the run is {run.verdict}: {'; '.join(run.reasons)}\n")
            return run.exit_code
        store(run.path, HERE / "data" / "mq-shapes")
    return 0


def store(source: Path, target: Path) -> None:
    """Replaces ``target`` by the small part of the run folder ``source``."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in KEPT:
        shutil.copy(source / name, target / name)
    document = json.loads((source / "run.json").read_text(encoding="utf-8"))
    document["process"] = {}
    document["machine"]["host"] = None
    document["machine"]["kernel"] = document["machine"]["kernel"].split("-")[0]
    document["command"] = ["headrace", "run", f"notebooks/{SPEC.name}"]
    document["server"] = _without_paths(document["server"] or {})
    for case in document["cases"]:
        case["facts"].get("extra", {}).pop("server", None)
    (target / "run.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _without_paths(config: dict[str, object]) -> dict[str, object]:
    return {k: v for k, v in config.items() if not (isinstance(v, str) and v.startswith(("/", "unix:")))}


if __name__ == "__main__":
    raise SystemExit(main())
