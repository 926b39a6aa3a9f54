"""The summary line of script/test adds up what pytest and ctest wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from script.lib.junit import Counts, read_junit

PYTEST = """<testsuites><testsuite name="pytest" tests="4">
<testcase name="a"/><testcase name="b"><failure message="x"/></testcase>
<testcase name="c"><error message="in a fixture"/></testcase>
<testcase name="d"><skipped message="no server"/></testcase></testsuite></testsuites>"""

CTEST = """<testsuite name="(empty)" tests="3">
<testcase name="a" status="run"/><testcase name="b" status="fail"><failure message=""/></testcase>
<testcase name="c" status="disabled"/></testsuite>"""


@pytest.mark.parametrize(("text", "summary"), [
    (PYTEST, "1 passed, 2 failed, 1 skipped"),
    (CTEST, "1 passed, 1 failed, 1 skipped"),
])  # fmt: skip
def test_counts_of_both_writers(tmp_path: Path, text: str, summary: str) -> None:
    file = tmp_path / "junit.xml"
    file.write_text(text)
    assert str(read_junit(file)) == summary


def test_skip_keeps_its_reason(tmp_path: Path) -> None:
    file = tmp_path / "junit.xml"
    file.write_text(PYTEST)
    assert read_junit(file).notes == ["skipped d: no server"]


@pytest.mark.parametrize("text", [None, "<testsuites><testsuite>"])
def test_missing_or_torn_file_is_a_failure(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "junit.xml"
    if text is not None:
        file.write_text(text)
    assert str(read_junit(file)) == "0 passed, 1 failed, 0 skipped"


def test_counts_add_up() -> None:
    total = Counts(passed=1, notes=["a"])
    total.add(Counts(failed=2, skipped=3, notes=["b"]))
    assert (str(total), total.notes) == ("1 passed, 2 failed, 3 skipped", ["a", "b"])
