"""A graph as DOT text, for graphviz and for networkx."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headrace import errors
from headrace.graph.view import NodeInfo

if TYPE_CHECKING:
    import graphviz
    import networkx

_COLOURS = {
    "done": "palegreen",
    "failed": "salmon",
    "cancelled": "lightgrey",
    "running": "gold",
    "ready": "khaki",
    "sleeping": "lightblue",
    "waiting": "white",
}
_SHAPES = {"call": "box", "coroutine": "ellipse", "sleep": "circle"}


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def to_dot(name: str, nodes: Sequence[NodeInfo]) -> str:
    """Edges run from a dependency to what depends on it; those of nodes that are not shown are left out."""
    known = {n.id for n in nodes}
    lines = [f"digraph {_quoted(name)} {{", "  rankdir=LR;", "  node [style=filled];"]
    for n in nodes:
        look = f"shape={_SHAPES[n.kind]}, fillcolor={_COLOURS[n.state]}, tooltip={_quoted(n.state)}"
        lines.append(f"  {n.id} [label={_quoted(n.name)}, {look}];")
    lines += [f"  {d} -> {n.id};" for n in nodes for d in n.dependencies if d in known]
    return "\n".join([*lines, "}"]) + "\n"


def to_graphviz(dot: str) -> graphviz.Source:
    try:
        import graphviz
    except ImportError:
        raise errors.FeatureNotBuilt(
            "Graph.to_graphviz() needs the package graphviz: pip install graphviz; to_dot() gives the text without it"
        ) from None
    return graphviz.Source(dot)


def to_networkx(nodes: Sequence[NodeInfo]) -> networkx.DiGraph[int]:
    try:
        import networkx
    except ImportError:
        raise errors.FeatureNotBuilt(
            "Graph.to_networkx() needs the package networkx: pip install networkx; nodes() gives the data without it"
        ) from None
    out: networkx.DiGraph[int] = networkx.DiGraph()
    known = {n.id for n in nodes}
    for n in nodes:
        out.add_node(n.id, name=n.name, kind=n.kind, state=n.state)
    out.add_edges_from((d, n.id) for n in nodes for d in n.dependencies if d in known)
    return out
