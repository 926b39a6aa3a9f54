"""One workload by hand, in this process, with headrace; its figures as text or as a line of JSON.

    python experiments/batching/workload.py pool --items 200000 --function native
    python experiments/batching/workload.py redis --items 100000 --call item
    python experiments/batching/workload.py open-loop --rate 50000 --seconds 3 --loop uvloop --json

The options are the keys of a case, as in the specs. The closed loops run a tenth of the items first, to warm up.
`redis` starts a private redis-server unless `--url` names one.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import sys
import tempfile
from typing import Any

from headrace.cli import guard
from headrace.errors import InvalidArgument
from headrace.experiment.batching import loops
from headrace.experiment.batching.control import Control
from headrace.experiment.batching.workloads import WORKLOADS
from headrace.experiment.batching_case import KEYS, BatchingCase
from headrace.servers import RedisServer


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", choices=list(WORKLOADS))
    for field in dataclasses.fields(BatchingCase):
        if field.name != "workload":
            kind = type(field.default)
            parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, metavar=kind.__name__.upper())
    parser.add_argument("--url", help="a Redis of your own, for the workload redis")
    parser.add_argument("--json", action="store_true", help="print a line of JSON")
    args = parser.parse_args()
    given = {key: value for key, value in vars(args).items() if key in KEYS and value is not None}
    case = BatchingCase(**{key: _checked(key, value) for key, value in given.items()})
    figures = measured(case, args.url)
    if args.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:24} {value:,.3f}" if isinstance(value, float) else f"{name:24} {value}")
    return 0


def measured(case: BatchingCase, url: str | None) -> dict[str, Any]:
    """Runs the case once, after a smaller one for warmth, and gives what came of it."""
    with contextlib.ExitStack() as stack:
        settings = case.to_json() | {"folder": stack.enter_context(tempfile.TemporaryDirectory())}
        if case.workload == "redis":
            settings["url"] = url or stack.enter_context(RedisServer(appendonly=False)).url
        if case.asked_rate is None and case.workload != "deps" and case.service_s == 0:
            _run(settings | {"items": max(case.items // 10, case.callers)})
        return _run(settings)


def _run(settings: dict[str, Any]) -> dict[str, Any]:
    control = Control()
    with WORKLOADS[settings["workload"]](settings) as workload:
        workload.run(control)
    tally = getattr(workload, "tally", None)
    return ({} if tally is None else loops.figures(tally)) | control.recording.figures


def _checked(key: str, value: Any) -> Any:
    try:
        return KEYS[key](value)
    except InvalidArgument as error:
        raise InvalidArgument(f"--{key.replace('_', '-')} {error}") from None


if __name__ == "__main__":
    sys.exit(guard(main))
