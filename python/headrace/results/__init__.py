"""Runs: writing them safely, loading them, judging them, comparing them.

>>> run = headrace.results.load("results/mq-1-1-20260101-120000")  # doctest: +SKIP
>>> run.verdict, run.reasons  # doctest: +SKIP
>>> run.summary[["case", "processing_latency_p50", "processing_latency_p99", "acked_rate"]]  # doctest: +SKIP

Files and columns with their units: docs/results.md.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from headrace.results.verdict import (
    EXIT_CODES,
    CaseFacts,
    Counts,
    Rates,
    Verdict,
    apply_expect,
    bound_users,
    bound_window,
    bound_workers,
    judge,
    worst,
)

if TYPE_CHECKING:
    from headrace.results.comparison import Comparison, compare
    from headrace.results.folder import CaseFolder, RunFolder
    from headrace.results.run import Case, Run, from_csv, load

# Loaded on first use: they need pyarrow, pandas or psutil.
_LAZY = {
    "Case": "run",
    "CaseFolder": "folder",
    "Comparison": "comparison",
    "Run": "run",
    "RunFolder": "folder",
    "compare": "comparison",
    "from_csv": "run",
    "load": "run",
}

__all__ = [
    "EXIT_CODES",
    "Case",
    "CaseFacts",
    "CaseFolder",
    "Comparison",
    "Counts",
    "Rates",
    "Run",
    "RunFolder",
    "Verdict",
    "apply_expect",
    "bound_users",
    "bound_window",
    "bound_workers",
    "compare",
    "from_csv",
    "judge",
    "load",
    "worst",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"headrace.results.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'headrace.results' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
