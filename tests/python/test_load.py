"""The load generator without a network: lists of URLs, rules, the verdict, the summary."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headrace import load
from headrace.errors import InvalidArgument, IoError, NotFound
from headrace.load.http_load import statuses
from headrace.load.live import Progress
from headrace.load.result import LoadResult, ThreadUse
from headrace.load.thresholds import Threshold
from headrace.measure import Histogram

COUNTS = dict.fromkeys(
    (
        *("begun", "unsent", "warm_up", "ok", "failed", "late_ok", "late_failed", "unfinished", "in_flight", "waited"),
        *("bytes", "bytes_in", "bytes_out", "connects", "retried", "address_failures", "sources", "busy_ns"),
    ),
    0,
)


def histogram(*ms: float) -> Histogram:
    h = Histogram()
    for value in ms:
        h.record(int(value * 1e6))
    return h


def result(**changes) -> LoadResult:
    """25 users, 10 s, 1000 answers of 250 ms; counters by name, other fields as they are called."""
    counts = {**COUNTS, "ok": 1000, "begun": 1000, "late_ok": 25, "busy_ns": int(250e9), "bytes": 5 * 2**20}
    counts |= {name: changes.pop(name) for name in list(changes) if name in COUNTS}
    base = LoadResult(
        urls=("http://127.0.0.1:8000/",),
        counts=counts,
        outcomes={"ok": counts["ok"]},
        samples={},
        response=histogram(*[250.0] * 99, 1000.0),
        service=histogram(250.0),
        connect=histogram(0.1),
        lateness=histogram(0.01),
        seconds=((100, 0, 1000, 250_000_000),),
        threads=(ThreadUse(1.0, 0.0, 10.0),),
        addresses=("127.0.0.1:8000",),
        elapsed_s=10.0,
        interrupted=False,
        users=25,
    )
    return replace(base, **changes)


def test_the_summary_has_the_labels_of_siege_in_its_order():
    lines = result().summary().splitlines()
    labels = [line.partition(":")[0] for line in lines[:12]]
    assert labels == [
        *("Transactions", "Availability", "Elapsed time", "Data transferred", "Response time", "Transaction rate"),
        *("Throughput", "Concurrency", "Successful transactions", "Failed transactions"),
        *("Longest transaction", "Shortest transaction"),
    ]
    assert lines[0].split() == ["Transactions:", "1000", "hits"]
    assert lines[1].split() == ["Availability:", "100.00", "%"]
    assert lines[4].split() == ["Response", "time:", "0.26", "secs"]
    assert lines[5].split() == ["Transaction", "rate:", "100.00", "trans/sec"]
    assert lines[6].split() == ["Throughput:", "0.50", "MB/sec"]
    assert lines[7].split() == ["Concurrency:", "25.00"]


def test_the_summary_accounts_for_what_siege_forgets():
    text = result(unfinished=3, outcomes={"ok": 1000, "refused": 2}, samples={"refused": "no one there"}).summary()
    assert "In flight at the end: 28 (25 answered afterwards, 3 never answered)" in text
    assert "Failed: 2 refused: no one there" in text
    assert "p99.9" in text
    assert text.rstrip().endswith("Verdict: valid")


def test_availability_counts_what_was_never_answered_or_sent():
    assert result(late_ok=0, unfinished=1000).availability == 50.0
    assert result(late_ok=0, unsent=1000).availability == 50.0
    assert result(late_ok=0, unfinished=1000, interrupted=True).availability == 100.0


def test_nothing_succeeded_is_a_failure():
    judged = result(ok=0, late_ok=0, failed=10).judgement
    assert judged.verdict == "failed"
    assert "no request succeeded" in judged.reasons[0]


@pytest.mark.parametrize("thread", [ThreadUse(9.5, 0.0, 10.0), ThreadUse(5.0, 4.5, 10.0)], ids=["busy", "starved"])
def test_a_thread_without_a_core_to_spare_is_the_generators_limit(thread):
    found = result(threads=(thread,))
    assert found.verdict == "generator-limited"
    assert found.exit_code == 3
    assert "saturated" in found.judgement.reasons[0]


def test_littles_law_finds_time_lost_in_the_generator():
    assert result(busy_ns=int(249e9)).verdict == "valid"
    lost = result(busy_ns=int(200e9))
    assert lost.verdict == "generator-limited"
    assert "20% of the users' time" in lost.judgement.reasons[0]
    assert result(busy_ns=int(200e9), think_s=(1.0, 1.0)).verdict == "valid"


def test_a_schedule_that_the_server_does_not_keep_up_with_is_invalid():
    found = result(rate_asked=200.0, begun=1000, unsent=1000, waited=500, users=100)
    assert found.verdict == "invalid"
    assert found.exit_code == 3
    assert "all 100 connections were busy" in found.judgement.reasons[0]
    assert result(rate_asked=200.0, begun=1000, unsent=4).verdict == "valid"


def test_a_schedule_that_the_generator_does_not_keep_is_its_limit():
    assert result(rate_asked=200.0, begun=1000, unsent=1000).verdict == "generator-limited"
    late = result(rate_asked=200.0, lateness=histogram(*[100.0] * 10))
    assert late.verdict == "generator-limited"
    assert "sent late by itself" in late.judgement.reasons[0]


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        ("p99>0.2s", True),
        ("p99 > 251ms", False),
        ("p99.9>900", True),
        ("max<2s", True),
        ("mean>300ms", False),
        ("rate<100.5/s", True),
        ("rate<100", False),
        ("failed>0", True),
        ("failed>1%", False),
        ("availability<99.9%", True),
        ("unsent>0", False),
        ("concurrency>30", False),
    ],
)
def test_rules(rule, broken):
    found = result(failed=5, rules=(Threshold.parse(rule),))
    assert (found.verdict == "failed") == broken
    assert found.exit_code == (1 if broken else 0)
    if broken:
        assert rule.strip() in found.judgement.reasons[0]


@pytest.mark.parametrize("rule", ["p99", "p99>", "speed>5", "p101>5", "rate>5ms", "p99>5%", "failed>5ms", "p99>=5"])
def test_a_rule_that_cannot_be_read_is_refused(rule):
    with pytest.raises(InvalidArgument, match=r"rule|metric"):
        Threshold.parse(rule)


def test_an_interruption_has_its_own_exit_code_unless_a_rule_is_broken():
    assert result(interrupted=True).exit_code == 130
    assert result(interrupted=True, rules=(Threshold.parse("p99>1ms"),)).exit_code == 1


def test_data_frames_and_json():
    found = result()
    assert list(found.series().columns) == ["second", "ok", "failed", "bytes", "longest_ms"]
    assert found.series()["longest_ms"][0] == 250.0
    counted = found.histogram()
    assert counted["count"].sum() == 100
    assert (counted["from_ms"] <= 250.0).any()
    assert found.frame()["response_p99_ms"][0] == pytest.approx(250, rel=1e-3)
    data = found.to_dict()
    assert data["verdict"] == "valid"
    assert data["rate_per_s"] == 100.0
    assert "<table>" in found._repr_html_()
    assert repr(found).startswith("<LoadResult valid: 1000 transactions")
    with pytest.raises(NotFound, match="csv="):
        found.rows()


def test_html_shows_what_a_server_said_as_text():
    assert "<script>" not in result(outcomes={"refused": 1}, samples={"refused": "<script>"})._repr_html_()


def test_a_list_of_urls(tmp_path):
    (tmp_path / "body.txt").write_bytes(b"from a file")
    file = tmp_path / "urls.txt"
    file.write_text("# a comment\n\n127.0.0.1:8000/a\nhttp://h/b POST x=1&y=2 z\nhttp://h/c PUT <body.txt\n")
    assert load.read_requests(file) == [
        load.Request("127.0.0.1:8000/a"),
        load.Request("http://h/b", "POST", b"x=1&y=2 z"),
        load.Request("http://h/c", "PUT", b"from a file"),
    ]


@pytest.mark.parametrize(
    ("text", "said"), [("# nothing\n", "has no URL"), ("http://h/ get\n", "line 1: 'get' is not a method")]
)
def test_a_list_that_cannot_be_used(tmp_path, text, said):
    file = tmp_path / "urls.txt"
    file.write_text(text)
    with pytest.raises(InvalidArgument, match=said):
        load.read_requests(file)


def test_a_list_that_is_not_there(tmp_path):
    with pytest.raises(IoError, match="cannot read the list"):
        load.read_requests(tmp_path / "nowhere")
    (tmp_path / "urls").write_text("http://h/ POST <nowhere")
    with pytest.raises(IoError, match="line 1"):
        load.read_requests(tmp_path / "urls")


def test_statuses():
    assert statuses(None) == []
    assert statuses(204) == [(204, 204)]
    assert statuses([200, 404]) == [(200, 200), (404, 404)]
    assert statuses("2xx, 304,400-404") == [(200, 299), (304, 304), (400, 404)]
    with pytest.raises(InvalidArgument, match="200-299"):
        statuses("ok")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"users": 0}, "users"),
        ({"rate": -1.0}, "rate"),
        ({"rate": 5.0, "users": 5}, "say how many connections"),
        ({"connections": 5}, "say how many users"),
        ({"rate": 5.0, "connections": 0}, "users"),
        ({"duration_s": -1}, "duration_s"),
        ({"count": 0}, "count"),
        ({"threads": 0}, "threads"),
        ({"timeout": 0}, "timeout"),
        ({"think_s": (2.0, 1.0)}, "think"),
        ({"rate": 5.0, "think_s": 1.0}, "think"),
        ({"arrivals": "bursts"}, "arrivals"),
        ({"headers": {"Content-Length": "5"}}, "written by the generator"),
        ({"method": "G T"}, "bad method"),
        ({"fail_if": ["p99"]}, "rule"),
        ({"ca_file": "/nowhere.pem"}, "CA file /nowhere.pem"),
    ],
)
def test_a_setting_outside_its_range_is_named(options, said):
    with pytest.raises(InvalidArgument, match=said):
        load.http("https://127.0.0.1:1/", **options)


def test_no_url_is_refused():
    with pytest.raises(InvalidArgument, match="no URL"):
        load.http()


def test_progress_is_a_line():
    first = Progress.first({"warm_up": 1.0, "duration": 9.0})
    counts = {**COUNTS, "ok": 50, "in_flight": 7, "failed": 2}
    then = first.after(0.5, counts, 1_500_000, 20_000_000).after(1.0, {**counts, "ok": 100}, 1_500_000, 20_000_000)
    assert then.rate == pytest.approx(100.0)
    assert str(then) == "  1.0 of 10 s  100/s  in flight 7  p50 1.5 ms  p99 20 ms  100 ok  2 failed"
