"""What a graph shows of itself: counts, nodes, a table for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import NamedTuple

#: Rows of the table in a notebook; the rest is a count.
MOST_ROWS = 50


class NodeInfo(NamedTuple):
    """One node.

    `kind` is call, coroutine or sleep; `state` is waiting, sleeping, ready, running, done, failed or cancelled.
    """

    id: int
    name: str
    kind: str
    state: str
    dependencies: tuple[int, ...]


@dataclass(frozen=True)
class Stats:
    """Counts of a graph's nodes now (added, done, failed, cancelled: in total)."""

    added: int  #: submitted so far
    undecided: int  #: neither done, failed nor cancelled
    waiting: int  #: for dependencies
    sleeping: int  #: their delay runs
    ready: int  #: for a worker or the event loop
    running: int  #: on a worker or on the event loop
    suspended: int  #: waiting without a worker (native coroutines)
    done: int
    failed: int
    cancelled: int
    workers: int  #: threads that serve the graph now
    flushes: int  #: batches sent because nothing could join them any more
    limit_flushes: int  #: batches sent because `hold_limit_s` had passed


def to_html(name: str, stats: Stats, nodes: Sequence[NodeInfo]) -> str:
    """Two tables: the counts, and the first nodes."""
    counts = asdict(stats)
    head = "".join(f"<th>{escape(k)}</th>" for k in counts)
    values = "".join(f"<td>{v}</td>" for v in counts.values())
    rows = "".join(
        f"<tr><td>{n.id}</td><td>{escape(n.name)}</td><td>{n.kind}</td><td>{n.state}</td>"
        f"<td>{', '.join(map(str, n.dependencies))}</td></tr>"
        for n in nodes[:MOST_ROWS]
    )
    more = f"<p>and {len(nodes) - MOST_ROWS} more</p>" if len(nodes) > MOST_ROWS else ""
    table = (
        f"<table><tr><th>id</th><th>node</th><th>kind</th><th>state</th><th>depends on</th></tr>{rows}</table>{more}"
        if nodes
        else ""
    )
    return f"<b>Graph {escape(name)}</b><table><tr>{head}</tr><tr>{values}</tr></table>{table}"
