"""The page itself: verdict first, then figures, then what is needed to doubt or repeat them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from importlib import resources

from headrace import __version__
from headrace.report import tables
from headrace.report.part import View, view_of
from headrace.report.text import esc, size
from headrace.results.run import Case, Run, reproduce

_MEANING = {
    "valid": "Everything is accounted for, and every rate is below its bound.",
    "generator-limited": "The load generator did not offer the rate that was asked for. "
    "The figures describe the generator rather than what was to be measured.",
    "invalid": "The figures below must not be used: the measurement contradicts itself, or something is missing.",
    "failed": "The run did not come to its end. What was recorded until then is shown below.",
    "running": "The run is still going on. The figures below are not final.",
}
_SIGN = {"valid": "✓", "generator-limited": "◐", "invalid": "✕", "failed": "!", "running": "…"}
_OPEN_CASES = 3


def render(run: Run) -> str:
    """The whole page as one HTML text that loads nothing from elsewhere."""
    groups, view = group(run.cases), view_of(run)
    title = f"{run.name}: {run.verdict}"
    body = "".join(
        [
            header(run),
            verdict(run, view),
            glance(groups, view),
            *(case_section(i, name, cases, len(groups), view) for i, (name, cases) in enumerate(groups.items(), 1)),
            conditions(run),
            again(run),
            files(run, view),
            f"<footer>headrace {esc(__version__)}, {time.strftime('%Y-%m-%d %H:%M:%S %Z')}</footer>",
        ]
    )
    style, script = _asset("style.css"), _asset("script.js")
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{esc(title)}</title><style>{style}</style></head>"
        f'<body><main>{body}</main><div id="tip" hidden></div><script>{script}</script></body></html>\n'
    )


def _asset(name: str) -> str:
    return resources.files("headrace.report").joinpath(name).read_text(encoding="utf-8")


def group(cases: Iterable[Case]) -> dict[str, list[Case]]:
    """Cases by name, repeats together, in the order of the run."""
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.name, []).append(case)
    return groups


def header(run: Run) -> str:
    machine = run.machine
    facts = [
        (run.started or "").replace("T", " ").split(".")[0] + (" UTC" if run.started else ""),
        f"{machine.get('cores_usable') or machine.get('cores')} cores, {machine['cpu']}" if machine.get("cpu") else "",
        size(machine["memory_bytes"]) if machine.get("memory_bytes") else "",
        machine.get("system") or "",
    ]
    about = " · ".join(esc(f) for f in facts if f)
    return f"<header><p class=brand>headrace</p><h1>{esc(run.name)}</h1><p class=about>{about}</p></header>"


def verdict(run: Run, view: View) -> str:
    """The banner: the word, what it means, the reasons, and notes that do not change it."""
    word = run.verdict
    meaning = {**_MEANING, **view.meaning}
    reasons = "".join(f"<li>{esc(r)}</li>" for r in run.reasons)
    notes = "".join(f"<li>{esc(n)}</li>" for n in run.notes)
    return (
        f'<section class="verdict {esc(word)}"><p class=sign aria-hidden=true>{_SIGN.get(word, "?")}</p><div>'
        f"<h2>{esc(word.upper())}</h2><p>{esc(meaning.get(word, ''))}</p>"
        + (f"<ul class=reasons>{reasons}</ul>" if reasons else "")
        + (f"<ul class=notes>{notes}</ul>" if notes else "")
        + "</div></section>"
    )


def glance(groups: Mapping[str, list[Case]], view: View) -> str:
    """Key figures: tiles for a single case, a table for several."""
    if not groups:
        return "<section><p class=note>No case was started.</p></section>"
    if len(groups) > 1:
        many = tables.overview(groups, view.cells) + tables.ranges(groups, view.ranges)
        return f"<section><h2>Cases</h2>{many}</section>"
    (cases,) = groups.values()
    body = "".join(
        f'<div class="tile{" bad" if tile.bad else ""}"><span>{esc(tile.name)}</span>'
        f"<b>{esc(tile.value)}</b><small>{esc(tile.more)}</small></div>"
        for tile in view.tiles([c.summary for c in cases])
    )
    over = f"<p class=note>Medians over {len(cases)} repeats.</p>" if len(cases) > 1 else ""
    return f"<section><h2>Key figures</h2><div class=tiles>{body}</div>{over}</section>"


def case_section(index: int, name: str, cases: list[Case], total: int, view: View) -> str:
    """One case: its parameters, its repeats, then figures and charts of each repeat."""
    chips = "".join(tables.chip(v) for v in dict.fromkeys(c.verdict for c in cases))
    first = cases[0]
    params = "".join(
        f"<span><i>{esc(k)}</i> {esc(tables.plain(k, v))}</span>" for k, v in tables.flatten(first.params) if v != ""
    )
    expect = f"<p class=note>This case was made to be {esc(first.expect)}.</p>" if first.expect else ""
    if len(cases) == 1:
        inner = view.case(first)
    else:
        inner = "<h3>Repeats</h3>" + tables.repeats(cases, view.cells)
        inner += "".join(f"<details><summary>Repeat {c.repeat}</summary>{view.case(c)}</details>" for c in cases)
    opened = " open" if total <= _OPEN_CASES or index <= 1 else ""
    return (
        f'<section class="case" id="case-{index}"><details{opened}>'
        f"<summary><h2>{esc(name)}</h2>{chips}</summary>"
        f"<p class=params>{params}</p>{expect}{inner}</details></section>"
    )


def conditions(run: Run) -> str:
    """What was run, on what, against what."""
    parts = [
        ("Spec", run.spec),
        ("Machine", run.machine),
        ("Server", run.server),
        ("Versions", run.versions),
    ]
    body = "".join(f"<div><h3>{name}</h3>{tables.pairs(data)}</div>" for name, data in parts if data)
    seed = f"<p class=note>Seed of all randomness: {esc(run.seed)}.</p>" if run.seed is not None else ""
    return f"<section><h2>Conditions</h2>{seed}<div class=columns>{body}</div></section>" if body else ""


def again(run: Run) -> str:
    """The command that repeats the run."""
    command = reproduce(run)
    return f"<section><h2>Run it again</h2><pre><code>{esc(command)}</code></pre></section>" if command else ""


_FILES = {
    "run.json": "spec, machine, versions, server, verdict",
    "summary.csv": "one row per case",
    "summary.json": "the same as JSON",
    "samples.parquet": "one row per item",
    "series.parquet": "one row per second",
    "exports": "CSV files of each case",
    "segments": "what the programs recorded",
}


def files(run: Run, view: View) -> str:
    """What lies beside this page."""
    if run.path is None:
        return ""
    named = {**_FILES, **view.files}
    present = [(name, text) for name, text in named.items() if (run.path / name).exists()]
    items = "".join(f'<li><a href="{name}">{name}</a> {esc(text)}</li>' for name, text in present)
    load = f'run = headrace.results.load("{run.path.name}")'
    return f"<section><h2>Files</h2><ul class=files>{items}</ul><pre><code>{esc(load)}</code></pre></section>"
