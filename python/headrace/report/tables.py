"""The tables of the report. Everything that comes from data goes through ``esc``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from headrace.report.part import Cell
from headrace.report.text import DASH, esc, known, ms, number, rate, size
from headrace.results.run import Case
from headrace.results.schema import DURATIONS, PERCENTILES, STATISTICS

_SIXTEEN = (
    ("Processing latency", "processing_latency", ms),
    ("Send time", "send_time", ms),
    ("Processing throughput", "processing_throughput", rate),
    ("Send throughput", "send_throughput", rate),
)
_LEDGER = (
    ("sent", "ids sent"),
    ("acked", "acknowledged by the broker"),
    ("unacked", "without an acknowledgement"),
    ("received", "received at least once"),
    ("lost", "acknowledged, never received"),
    ("orphaned", "received, never sent"),
    ("shared", "sent by two producers"),
    ("duplicated", "further receipts of an id"),
    ("redelivered", "receipts flagged as redelivered"),
    ("retries", "further sends of an id"),
    ("reordered", "overtook an earlier message"),
    ("negative_latency", "received before sent"),
    ("negative_send_time", "acknowledged before sent"),
    ("unreadable", "rows that could not be read"),
    ("torn", "last rows cut short"),
)
_MUST_BE_ZERO = frozenset({"lost", "orphaned", "shared", "negative_latency", "negative_send_time"})


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, kind: str = "", texts: int = 1) -> str:
    """A table of ready HTML cells. ``kind`` ``stack`` turns rows into cards on a narrow screen."""
    labels = "".join(f"<th scope=col{' class=t' if i < texts else ''}>{esc(h)}</th>" for i, h in enumerate(head))
    body = ""
    for row in rows:
        cells = f"<th scope=row>{row[0]}</th>"
        for i, cell in enumerate(row[1:], 1):
            cells += f'<td{" class=t" if i < texts else ""} data-l="{esc(head[i])}">{cell}</td>'
        body += f"<tr>{cells}</tr>"
    inner = f"<thead><tr>{labels}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="scroll"><table class="{kind}">{inner}</table></div>'


def chip(verdict: str) -> str:
    """A coloured word."""
    return f'<span class="chip {esc(verdict)}">{esc(verdict)}</span>'


def overview(groups: Mapping[str, Sequence[Case]], cells: Sequence[Cell]) -> str:
    """One row per case; medians over its repeats."""
    head = ["case", "verdict", *(c.heading for c in cells)]
    repeated = any(len(cases) > 1 for cases in groups.values())
    if repeated:
        head.insert(2, "repeats")
    rows = []
    for number_, (name, cases) in enumerate(groups.items(), 1):
        verdicts = "".join(chip(v) for v in dict.fromkeys(c.verdict for c in cases))
        row = [f'<a href="#case-{number_}">{esc(name)}</a>', verdicts, *_cells([c.summary for c in cases], cells)]
        if repeated:
            row.insert(2, str(len(cases)))
        rows.append(row)
    return table(head, rows, kind="stack", texts=2)


def _cells(rows: Sequence[Mapping[str, Any]], cells: Sequence[Cell]) -> list[str]:
    out = []
    for cell in cells:
        value = sum(int(r[cell.column] or 0) for r in rows) if cell.total else middle(rows, cell.column)
        out.append(flagged(cell.show(value), value) if cell.zero else cell.show(value))
    return out


def ranges(groups: Mapping[str, Sequence[Case]], durations: Sequence[str]) -> str:
    """The first of ``durations`` that was measured, of each case, as a bar from p50 to p99, log scale."""
    rows = [(case, [c.summary for c in cases]) for case, cases in groups.items()]
    name = next((d for d in durations if any(known(middle(r, f"{d}_p50")) for _, r in rows)), durations[-1])
    spans = [(case, middle(r, f"{name}_p50"), middle(r, f"{name}_p99")) for case, r in rows]
    drawn = [(case, low, high) for case, low, high in spans if low and high]
    if len(drawn) < 2:
        return ""
    least, most = min(s[1] for s in drawn) / 1.3, max(s[2] for s in drawn) * 1.3

    def at(value: float) -> float:
        return 100 * math.log(value / least) / math.log(most / least)

    bars = "".join(
        f"<div><span class=who>{esc(case)}</span><span class=what>{ms(low)} to {ms(high)}</span>"
        f'<span class=track><span class=bar style="left:{at(low):.1f}%;'
        f'width:{max(at(high) - at(low), 0.5):.1f}%">'
        "</span></span></div>"
        for case, low, high in drawn
    )
    title = name.replace("_", " ")
    return f"<h3>{title}, p50 to p99 (log scale)</h3><div class=ranges>{bars}</div>"


def repeats(cases: Sequence[Case], cells: Sequence[Cell]) -> str:
    """One row per repeat of a case, and their median."""
    shown = [c for c in cells if c.repeats]
    rows = [[str(c.repeat), chip(c.verdict), *_cells([c.summary], shown)] for c in cases]
    medians = [c for c in shown if not c.total]
    over = dict(zip(medians, _cells([c.summary for c in cases], medians), strict=True))
    rows.append(["median", "", *(over.get(c, "") for c in shown)])
    return table(["repeat", "verdict", *(c.heading for c in shown)], rows, kind="stack", texts=2)


def middle(rows: Sequence[Mapping[str, Any]], name: str) -> float | None:
    """The median of a column over ``rows``; None when one of them did not measure it."""
    values = [row.get(name) for row in rows]
    numbers = [float(v) for v in values if v is not None and known(v)]
    return median(numbers) if numbers and len(numbers) == len(values) else None


def flagged(text: str, value: Any) -> str:
    """The text of a count that should be 0, in the colour of an error when it is not."""
    return f"<b class=bad>{text}</b>" if known(value) and value > 0 else text


def sixteen(row: Mapping[str, Any]) -> str:
    """The sixteen metrics of the experiment: four quantities, four statistics each."""
    head = ["", "min", "max", "average", "std. deviation"]
    rows = [[esc(title), *(show(row.get(f"{name}_{k}")) for k in STATISTICS)] for title, name, show in _SIXTEEN]
    return table(head, rows, kind="stack wide")


def percentiles(row: Mapping[str, Any], *, open_loop: bool) -> str:
    """Percentiles of the durations; with a schedule also from the intended time."""
    names = list(DURATIONS) if open_loop else ["processing_latency", "send_time"]
    titles = {n: n.removesuffix("_latency").removesuffix("_time").replace("_", " ") for n in DURATIONS}
    head = ["", *(titles[n] for n in names)]
    rows = [[p, *(number(row.get(f"{n}_{p}")) for n in names)] for p in (*PERCENTILES, "max")]
    return table(head, rows)


def ledger(row: Mapping[str, Any]) -> str:
    """What became of every message."""
    rows = []
    for name, meaning in _LEDGER:
        text = number(row.get(name))
        rows.append([breakable(name), flagged(text, row.get(name)) if name in _MUST_BE_ZERO else text, esc(meaning)])
    return table(["ledger", "count", ""], rows, kind="ledger")


def rates(row: Mapping[str, Any]) -> str:
    """Measured rates beside what bounds them."""
    bound, acked = row.get("bound"), row.get("acked_rate")
    share = DASH
    if bound and acked and known(bound) and known(acked):
        share = f"{number(100 * acked / bound, 2)}% of its bound"
    rows = [
        ["asked for", rate(row.get("asked_rate")), "open loop only"],
        ["offered", rate(row.get("offered_rate")), "by the generator"],
        ["acknowledged", rate(acked), share],
        ["received", rate(row.get("received_rate")), "first receipts"],
        ["bound", rate(bound), "window / mean send time (Little's law)"],
        ["window", number(row.get("window")), "unacknowledged messages allowed, all producers"],
        ["duration", f"{number(row.get('duration_s'))} s", "first send to last event"],
    ]
    kept = [r for r in rows if not r[1].startswith(DASH)]
    return table(["rate", "value", ""], [[a, b, esc(c)] for a, b, c in kept], kind="ledger")


def pairs(data: Mapping[str, Any]) -> str:
    """Nested settings as a two-column table, keys joined with dots."""
    flat = list(flatten(data))
    if not flat:
        return '<p class="note">not recorded</p>'
    rows = (
        f"<tr><th scope=row>{breakable(key)}</th><td class=t>{esc(plain(key, value))}</td></tr>" for key, value in flat
    )
    return f'<div class="scroll"><table class="pairs"><tbody>{"".join(rows)}</tbody></table></div>'


def breakable(key: str) -> str:
    """A long key may be broken behind a dot or an underscore, and nowhere else."""
    return esc(key).replace(".", ".<wbr>").replace("_", "_<wbr>")


def flatten(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(key, value) of nested settings; keys are joined with dots, and numbers count the entries of lists of tables."""
    for key, value in data.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flatten(value, f"{name}.")
        elif isinstance(value, list) and any(isinstance(v, Mapping | list) for v in value):
            yield from flatten({str(i): v for i, v in enumerate(value, 1)}, f"{name}.")
        elif isinstance(value, list):
            yield name, ", ".join(map(str, value))
        else:
            yield name, value


def plain(key: str, value: Any) -> str:
    """One setting as text: bytes with a unit, floats without needless digits."""
    if value is None:
        return DASH
    if key.endswith("_bytes") and known(value):
        return size(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
