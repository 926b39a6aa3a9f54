"""The rules of tests/conftest.py about soaks and about servers that are missing."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

CASES = """
from __future__ import annotations
import pytest

@pytest.mark.broker
def test_needs_server(): pytest.skip("no redis-server")

def test_other_skip(): pytest.skip("another reason")

@pytest.mark.soak
def test_soak(): pass
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.delenv("HEADRACE_REQUIRE_SERVERS", raising=False)
    pytester.makeconftest(Path(__file__).parents[1].joinpath("conftest.py").read_text())
    pytester.makeini("[pytest]\nmarkers =\n  broker: b\n  soak: s\n")
    pytester.makepyfile(CASES)
    return pytester


def test_soaks_run_only_with_long(project: pytest.Pytester) -> None:
    project.runpytest_inprocess().assert_outcomes(skipped=2, deselected=1)
    project.runpytest_inprocess("--long").assert_outcomes(skipped=2, passed=1)


def test_missing_server_fails_where_servers_are_required(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADRACE_REQUIRE_SERVERS", "1")
    result = project.runpytest_inprocess()
    result.assert_outcomes(skipped=1, failed=1, deselected=1)
    result.stdout.fnmatch_lines(["*this skip is a failure*no redis-server*"])
