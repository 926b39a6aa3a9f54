"""A result as text for people, as data for programs, as HTML for notebooks."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace.load.result import LoadResult

_MB = 1024 * 1024  # as siege has it


def siege_rows(result: LoadResult) -> list[tuple[str, str, str]]:
    """siege's summary: label, value, unit. Response time counts from the intended time."""
    h = result.response
    mb = result.counts["bytes"] / _MB
    return [
        ("Transactions", f"{result.transactions}", "hits"),
        ("Availability", f"{result.availability:.2f}", "%"),
        ("Elapsed time", f"{result.elapsed_s:.2f}", "secs"),
        ("Data transferred", f"{mb:.2f}", "MB"),
        ("Response time", f"{h.mean / 1e9:.2f}", "secs"),
        ("Transaction rate", f"{result.rate:.2f}", "trans/sec"),
        ("Throughput", f"{mb / result.elapsed_s if result.elapsed_s else 0.0:.2f}", "MB/sec"),
        ("Concurrency", f"{result.concurrency:.2f}", ""),
        ("Successful transactions", f"{result.transactions}", ""),
        ("Failed transactions", f"{result.failed}", ""),
        ("Longest transaction", f"{h.max / 1e9:.2f}", ""),
        ("Shortest transaction", f"{h.min / 1e9:.2f}", ""),
    ]


def summary(result: LoadResult) -> str:
    """siege's block, then what siege does not say."""
    lines = [f"{label + ':':<24}{value:>12} {unit}".rstrip() for label, value, unit in siege_rows(result)]
    lines += ["", _percentile_line(result)]
    if result.rate_asked or result.think_s[1] > 0:
        lines.append(_service_line(result))
    lines += _account(result)
    lines += [f"Failed: {count} {name}: {result.samples.get(name, '')}" for name, count in failures(result)]
    lines.append(_generator_line(result))
    judged = result.judgement
    lines += [f"Note: {note}" for note in judged.notes]
    lines.append(f"Verdict: {'interrupted, ' if result.interrupted else ''}{judged.verdict}")
    lines += [f"  {reason}" for reason in judged.reasons]
    return "\n".join(lines)


def failures(result: LoadResult) -> list[tuple[str, int]]:
    """Kinds of failure with their counts, the most frequent first."""
    found = [(name, count) for name, count in result.outcomes.items() if name != "ok" and count]
    return sorted(found, key=lambda one: -one[1])


def _percentile_line(result: LoadResult) -> str:
    shown = "  ".join(f"p{p:g} {v:.4g}" for p, v in result.percentiles().items())
    return f"Response ms: {shown}  max {result.response.max / 1e6:.4g}"


def _service_line(result: LoadResult) -> str:
    h = result.service
    shown = "  ".join(f"p{p} {h.percentile(p) / 1e6:.4g}" for p in (50, 99))
    return f"Service ms (from the real time of sending): {shown}"


def _account(result: LoadResult) -> list[str]:
    counts = result.counts
    lines = []
    if result.in_flight_at_end:
        fates = [
            f"{counts[name]} {words}"
            for name, words in (
                ("late_ok", "answered afterwards"),
                ("late_failed", "failed afterwards"),
                ("unfinished", "cut off" if result.interrupted else "never answered"),
            )
            if counts[name]
        ]
        lines.append(f"In flight at the end: {result.in_flight_at_end} ({', '.join(fates)})")
    if counts["unsent"]:
        lines.append(f"Due and never sent: {counts['unsent']}")
    if counts["warm_up"]:
        lines.append(f"Warm-up, not measured: {counts['warm_up']} requests")
    return lines


def _generator_line(result: LoadResult) -> str:
    share = max((t.cpu_share for t in result.threads), default=0.0)
    threads = f"{len(result.threads)} thread{'s' if len(result.threads) != 1 else ''}"
    return (
        f"Generator: {threads}, {share:.0%} of a core at most, {result.cpu_us_per_request:.2f} us of CPU a request, "
        f"{result.counts['connects']} connections"
    )


def figures(result: LoadResult) -> dict[str, Any]:
    """Flat figures with the unit in the name."""
    h = result.response
    return {
        "transactions": result.transactions,
        "availability_percent": result.availability,
        "elapsed_s": result.elapsed_s,
        "data_transferred_bytes": result.counts["bytes"],
        "rate_per_s": result.rate,
        "rate_asked_per_s": result.rate_asked or None,
        "users": result.users,
        "concurrency": result.concurrency,
        "failed": result.failed,
        "in_flight_at_end": result.in_flight_at_end,
        "unfinished": result.unfinished,
        "unsent": result.unsent,
        "response_mean_ms": h.mean / 1e6,
        "response_min_ms": h.min / 1e6,
        **{f"response_p{p:g}_ms": v for p, v in result.percentiles().items()},
        "response_max_ms": h.max / 1e6,
        "service_p50_ms": result.service.percentile(50) / 1e6,
        "service_p99_ms": result.service.percentile(99) / 1e6,
        "connect_p50_ms": result.connect.percentile(50) / 1e6,
        "connect_p99_ms": result.connect.percentile(99) / 1e6,
        "lateness_p99_ms": result.lateness.percentile(99) / 1e6,
        "generator_cpu_us_per_request": result.cpu_us_per_request,
        "generator_busiest_thread_share": max((t.cpu_share for t in result.threads), default=0.0),
        "verdict": result.verdict,
    }


def as_data(result: LoadResult) -> dict[str, Any]:
    """`figures`, and everything behind them."""
    return {
        **figures(result),
        "reasons": list(result.judgement.reasons),
        "notes": list(result.judgement.notes),
        "interrupted": result.interrupted,
        "exit_code": result.exit_code,
        "urls": list(result.urls),
        "addresses": list(result.addresses),
        "settings": result.settings,
        "counts": result.counts,
        "outcomes": result.outcomes,
        "samples": result.samples,
        "threads": [{"cpu_s": t.cpu_s, "queued_s": t.queued_s, "ran_s": t.ran_s} for t in result.threads],
        "seconds": [
            {"ok": ok, "failed": failed, "bytes": size, "longest_ms": longest / 1e6}
            for ok, failed, size, longest in result.seconds
        ],
    }


def as_html(result: LoadResult) -> str:
    """Two small tables and the verdict."""
    rows = "".join(
        f"<tr><td>{label}</td><td style='text-align:right'>{value}</td><td>{unit}</td></tr>"
        for label, value, unit in siege_rows(result)
    )
    names = "".join(f"<th>p{p:g}</th>" for p in result.percentiles())
    values = "".join(f"<td>{v:.4g}</td>" for v in result.percentiles().values())
    said = [result.verdict, *result.judgement.reasons, *result.judgement.notes]
    said += [f"{count} {name}: {result.samples.get(name, '')}" for name, count in failures(result)]
    words = "<br>".join(html.escape(line) for line in said)
    percentiles = f"<table><tr><th>response ms</th>{names}</tr><tr><td></td>{values}</tr></table>"
    return f"<table>{rows}</table>{percentiles}<p>{words}</p>"
