"""Experiments: a TOML spec is planned, run, drained, checked and written as one run folder.

>>> from headrace import experiment
>>> run = experiment.run("experiments/mq/quickstart.toml")        # doctest: +SKIP
>>> run.verdict                                                   # doctest: +SKIP

``load_spec`` and ``parse_spec`` validate, ``plan`` multiplies sweeps and repeats out, ``run`` does it all.
The children of a run import this package too, so everything loads on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace.experiment.mq_case import MqCase
    from headrace.experiment.planning import PlannedCase, plan
    from headrace.experiment.runner import run
    from headrace.experiment.spec import CaseSpec, Spec, load_spec, parse_spec

_HOMES = {
    "CaseSpec": "spec",
    "MqCase": "mq_case",
    "PlannedCase": "plan",
    "Spec": "spec",
    "load_spec": "spec",
    "parse_spec": "spec",
    "plan": "planning",
    "run": "runner",
}

__all__ = ["CaseSpec", "MqCase", "PlannedCase", "Spec", "load_spec", "parse_spec", "plan", "run"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"headrace.experiment.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'headrace.experiment' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
