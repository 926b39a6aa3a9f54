from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from results_helpers import MS, Message, make_run, record, steady, write_csvs

from headrace import report
from headrace.errors import InvalidArgument
from headrace.report import charts
from headrace.report.text import DASH, ms, number, size
from headrace.results import CaseFacts, RunFolder, from_csv, load

_VOID = {"meta", "wbr", "br", "img", "input", "link", "hr"}
_SVG_EMPTY = {"line", "polyline", "polygon"}


class Page(HTMLParser):
    """Keeps what tests ask for, and complains about tags that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _SVG_EMPTY
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


def page(path: Path) -> Page:
    return Page((path / "report.html").read_text())


def varied(count: int = 3000) -> list[Message]:
    rng = np.random.default_rng(1)
    took = (rng.lognormal(0, 0.6, count) * MS).astype(int)
    return [Message(f"m{i}", i * MS, i * MS + int(t), (i * MS + int(t) + 1000,)) for i, t in enumerate(took)]


def test_page_parses_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    path = make_run(tmp_path, {"1-1": lambda _: varied()}, report=True, facts=CaseFacts(window=100))
    text = (path / "report.html").read_text()
    found = page(path)
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "@import" not in text
    assert "url(" not in text
    links = [a["href"] for t, a in found.tags if t == "a" and a.get("href")]
    assert all(link.startswith("#") or (path / link).exists() for link in links if link)
    assert not [t for t, a in found.tags if "src" in a or t == "link"]
    assert len(text) < 200_000


def test_page_shows_verdict_metrics_counts_charts_and_command(tmp_path: Path) -> None:
    path = make_run(tmp_path, {"1-1": lambda _: varied()}, report=True, facts=CaseFacts(window=100), sizes=[1, 2])
    found = page(path)
    for word in (
        "VALID",
        "Processing latency",
        "std. deviation",
        "p99.99",
        "lost",
        "bound",
        "sizes",
        "1, 2",
        "kernel",
    ):
        assert word in found.text
    assert sum(t == "figure" for t, _ in found.tags) == 5
    assert "Run it again" in found.text
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in found.tags


def test_text_from_data_cannot_become_markup(tmp_path: Path) -> None:
    evil = '"><script>alert(1)</script>'
    run = RunFolder.create(tmp_path, name=f"n {evil}", spec={"k" + evil: evil}, command=["run", evil])
    run.set_server({evil: [evil]})
    case = run.start_case(evil, {evil: evil})
    record(run, case, [*steady(5), Message("l", 0, 5)])
    case.finish(CaseFacts(failures=(evil,), notes=(evil,)))
    run.close()
    text = (run.path / "report.html").read_text()
    assert "<script>alert" not in text
    assert sum(t == "script" for t, _ in page(run.path).tags) == 1
    assert "alert(1)" in page(run.path).text


def test_reasons_are_in_plain_words(tmp_path: Path) -> None:
    path = make_run(tmp_path, {"x": lambda _: [*steady(5), Message("l", 0, 5)]}, report=True)
    text = page(path).text
    assert "INVALID" in text
    assert "must not be used" in text
    assert "1 acknowledged message never received (lost)" in text


def test_open_loop_shows_response_from_the_intended_time(tmp_path: Path) -> None:
    facts = CaseFacts(asked_rate=1000.0, window=100)
    text = page(make_run(tmp_path, {"x": lambda _: varied()}, report=True, facts=facts)).text
    assert "end to end" in text
    assert "offered" in text


def test_several_cases_and_repeats(tmp_path: Path) -> None:
    cases = {name: (lambda _: varied(200)) for name in ("1-1", "1-5", "5-1", "3x8-3x8")}
    found = page(make_run(tmp_path, cases, repeats=2, report=True))
    assert found.text.count("Repeat 2") == 4
    assert "median" in found.text
    assert [a["href"] for t, a in found.tags if t == "a"][:4] == ["#case-1", "#case-2", "#case-3", "#case-4"]


@pytest.mark.parametrize("messages", [[], [Message("a", 0, None)], [Message("a", 0, 0, (0,))], steady(2)])
def test_hardly_any_data_still_gives_a_page(tmp_path: Path, messages: list[Message]) -> None:
    assert "</html>" in (make_run(tmp_path, {"x": lambda _: messages}, report=True) / "report.html").read_text()


def test_run_without_cases_and_run_that_was_cut_give_pages(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, name="x", spec={})
    assert "still going on" in report.write(run.path).read_text()
    record(run, run.start_case("c", {}), steady(30))
    document = (run.path / "run.json").read_text()
    (run.path / "run.json").write_text(re.sub(r'"boot_id": "[^"]*"', '"boot_id": "x"', document))
    assert "the run was cut" in report.write(run.path).read_text()


def test_csv_run_needs_a_place_for_its_report(tmp_path: Path) -> None:
    write_csvs(tmp_path, steady(30), 0)
    run = from_csv([tmp_path / "sent-0.csv"], [tmp_path / "received-0.csv"])
    with pytest.raises(InvalidArgument, match="say where"):
        report.write(run)
    assert report.write(run, tmp_path / "out.html").is_file()


def test_report_can_be_written_again_for_a_stored_run(tmp_path: Path) -> None:
    path = make_run(tmp_path, {"x": lambda _: steady(30)})
    assert report.write(load(path)) == path / "report.html"


def test_numbers_for_people() -> None:
    assert [number(v) for v in (0, 0.04523, 0.5, 12.345, 999.6, 1234567, None, float("nan"))] == [
        "0",
        "0.0452",
        "0.500",
        "12.3",
        "1,000",
        "1,234,567",
        DASH,
        DASH,
    ]
    assert ms(0.45) == "0.450 ms"
    assert size(25 * 2**30) == "25 GiB"


@pytest.mark.parametrize(
    ("axis", "labels"),
    [
        (charts.Axis("linear", 0, 2.1), ["0", "1", "2"]),
        (charts.Axis("linear", 0, 1.0), ["0", "0.25", "0.5", "0.75", "1"]),
        (charts.Axis("log", 0.07, 7), ["0.1", "0.2", "0.5", "1", "2", "5"]),
        (charts.Axis("log", 0.01, 10_000), ["0.01", "1", "100", "10 k"]),
        (charts.Axis("linear", 0, 1_100_000), ["0", "500 k", "1 M"]),
        (charts.Axis("percentile", 0, 0.9995), ["0%", "90%", "99%", "99.9%"]),
    ],
)
def test_axes_have_few_round_ticks(axis: charts.Axis, labels: list[str]) -> None:
    ticks = axis.ticks()
    assert [label for _, label in ticks] == labels
    places = axis.place(np.array([value for value, _ in ticks]))
    assert (places >= -1e-9).all()
    assert (places <= 1 + 1e-9).all()
