"""Options and rules for all tests.

``--long`` also runs the tests marked ``soak``. HEADRACE_REQUIRE_SERVERS=1 (set by .ci/run) makes a skip of a
test marked ``broker`` a failure: a server that is missing there is a gap, not a circumstance.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

pytest_plugins = ["headrace.servers.pytest_plugin"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run the tests marked soak (minutes each)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    soaks = [item for item in items if item.get_closest_marker("soak")]
    if soaks:
        config.hook.pytest_deselected(items=soaks)
        items[:] = [item for item in items if item not in soaks]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    required = os.environ.get("HEADRACE_REQUIRE_SERVERS") == "1"
    if required and report.skipped and not hasattr(report, "wasxfail") and item.get_closest_marker("broker"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"HEADRACE_REQUIRE_SERVERS=1, so this skip is a failure: {reason}"
    return report
