"""gunicorn's request corpus: valid is answered, invalid refused, and each difference is one that we chose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

import headrace
from tests.conformance.exchange import END_OF_SENDING, exchange
from tests.conformance.gunicorn_corpus import DIFFERENCES, FOLDER, CorpusCase, cases, completed
from tests.conformance.tools import SCORES, missing

Passed = Counter[str]

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TEST", "-BLARGH", "-blargh")
VALID, INVALID = list(cases("valid")), list(cases("invalid"))


@pytest.fixture(scope="module")
def passed() -> Iterator[Passed]:
    """Counts what went as gunicorn would have it, and the differences that are as we chose them."""
    count = Passed()
    yield count
    SCORES.append(
        f"gunicorn's corpus: {count['valid']} of {len(VALID)} valid requests answered, {count['invalid']} of "
        f"{len(INVALID)} invalid ones refused, {count['chosen']} of {len(DIFFERENCES)} differences as chosen"
    )


def everything(**settings: int) -> headrace.http.Server:
    """A server that has whatever is asked for."""
    server = headrace.http.Server(**settings)
    for method in METHODS:
        for pattern in ("/", "/{rest...}"):
            server.route(method, pattern, native="count")
    return server


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[[CorpusCase], int]]:
    """The port of a server with the limits that a case is about."""
    running: dict[tuple[tuple[str, int], ...], headrace.http.Server] = {}

    def of(case: CorpusCase) -> int:
        key = tuple(case.limits.items())
        if key not in running:
            running[key] = everything(**case.limits)
            running[key].start()
        return running[key].port

    yield of
    for server in running.values():
        server.stop(grace_s=0.0)


def test_the_corpus_is_there() -> None:
    if not FOLDER.is_dir():
        missing("gunicorn's request corpus")
    assert len(VALID) >= 60
    assert len(INVALID) >= 80
    named = {f"valid/{c.name}" for c in VALID} | {f"invalid/{c.name}" for c in INVALID}
    assert DIFFERENCES.keys() - named == set(), "differences from cases that are not there"


@pytest.mark.parametrize("case", VALID, ids=lambda case: case.name)
def test_valid(case: CorpusCase, serve: Callable[[CorpusCase], int], passed: Passed) -> None:
    difference = DIFFERENCES.get(f"valid/{case.name}")
    if difference is not None:
        got = exchange(serve(case), [completed(case.data), END_OF_SENDING], responses=case.requests + 1)
        assert got.outcome == difference.outcome, difference.why
        passed["chosen"] += 1
        return
    got = exchange(serve(case), completed(case.data), responses=case.requests)
    finals = [r.status for r in got.responses if r.status >= 200]
    assert len(finals) == case.requests
    assert set(finals) <= {200, 204}, got.outcome
    passed["valid"] += 1


@pytest.mark.parametrize("case", INVALID, ids=lambda case: case.name)
def test_invalid(case: CorpusCase, serve: Callable[[CorpusCase], int], passed: Passed) -> None:
    """The request, and nothing after it, is refused: 4xx or 501 and the end, or the end alone."""
    sent = completed(case.data)
    got = exchange(serve(case), [sent, END_OF_SENDING], responses=1 + sent.count(b" HTTP/1."))
    difference = DIFFERENCES.get(f"invalid/{case.name}")
    if difference is not None:
        assert got.outcome == difference.outcome, difference.why
        passed["chosen"] += 1
        return
    *answered, last = [r.status for r in got.responses if r.status >= 200] or [400]
    assert set(answered) <= {200}
    assert 400 <= last < 500 or last in (501, 505), got.outcome
    assert got.outcome.endswith("close")
    passed["invalid"] += 1


def test_requests_without_a_host_are_refused_for_that(serve: Callable[[CorpusCase], int]) -> None:
    lacking = [c for c in VALID if completed(c.data) != c.data and c.data.split(b"\r\n")[0].endswith(b" HTTP/1.1")]
    lacking = [c for c in lacking if f"valid/{c.name}" not in DIFFERENCES]
    assert len(lacking) >= 10 or not VALID
    for case in lacking:
        got = exchange(serve(case), case.data, responses=1)
        assert got.outcome == "400 close", case.name
        assert b"no Host field (RFC 9112 3.2)" in got.final.body, case.name
