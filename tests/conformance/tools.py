"""What suites of others need: it is there, or a skip with the reason, in CI a failure; and their scores for the end."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

#: Lines for the end of the output, see ``conftest``.
SCORES: list[str] = []


def missing(what: str) -> NoReturn:
    """Skips the test because ``what`` is not installed, or fails it where everything must be."""
    reason = f"{what} is not installed; script/bootstrap --all installs it"
    if os.environ.get("HEADRACE_REQUIRE_SERVERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
