from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def reference_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs without the native ledger."""
    from reference_join import ReferenceLedger

    monkeypatch.setattr("headrace.results.samples._ledger", ReferenceLedger)
