"""RFC 9110 and 9112 over raw sockets, case by case; which cases there are: tests/conformance/cases."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.conformance.case import Case
from tests.conformance.cases import ALL
from tests.conformance.exchange import exchange

NAMES = Counter(f"{case.section} {case.name}" for case in ALL)


def test_there_are_at_least_200_cases_with_names_of_their_own() -> None:
    assert len(ALL) >= 200
    assert [name for name, times in NAMES.items() if times > 1] == []


@pytest.mark.parametrize("case", ALL, ids=lambda case: f"{case.section} {case.name}")
def test_case(case: Case, port: int) -> None:
    timeout = 0.3 if any("silent" in outcome for outcome in case.allowed) else 10.0
    got = exchange(port, case.send, responses=case.responses, heads=case.heads, timeout=timeout)
    assert got.outcome in case.allowed
    if case.body is not None:
        assert got.final.body == case.body
    for name in case.fields:
        assert name in got.responses[0].fields
