"""`headrace.Graph`: the Python face of the native task graph."""

from __future__ import annotations

import atexit
import math
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from headrace import errors
from headrace._core import graph as _graph
from headrace._core.graph import Node
from headrace.graph import export
from headrace.graph.view import NodeInfo, Stats, to_html

if TYPE_CHECKING:
    import graphviz
    import networkx

_T = TypeVar("_T")

#: How long the end of the program waits for functions that run.
_EXIT_WAIT_S = 2.0
atexit.register(_graph.stop_all, _EXIT_WAIT_S)


class Graph(_graph.Graph):
    """Units of work that depend on each other.

    Args:
        concurrency: functions that may run at the same time; None: as many as there are worker threads.
        max_units: nodes that may be undecided at the same time; one more raises `QueueFull`.
        history: decided nodes that `nodes()` and the exports still show. They keep their results alive.
        hold_limit_s: the longest that calls of a `headrace.batch` function made in this graph wait for others to join
            them, in seconds. They wait only while some function of the graph runs that could make one.
        name: for messages.

    As a context manager it waits at the end for everything, then takes no more; an exception cancels what is undecided.
    Raises InvalidArgument for settings out of range.
    """

    def __init__(
        self,
        *,
        concurrency: int | None = None,
        max_units: int = 1_000_000,
        history: int = 0,
        hold_limit_s: float = 0.002,
        name: str = "graph",
    ) -> None:
        if concurrency is not None and concurrency < 1:
            raise errors.InvalidArgument(f"concurrency must be at least 1, or None, got {concurrency}")
        if max_units < 1:
            raise errors.InvalidArgument(f"max_units must be at least 1, got {max_units}")
        if history < 0:
            raise errors.InvalidArgument(f"history must not be negative, got {history}")
        if not hold_limit_s >= 0:
            raise errors.InvalidArgument(f"hold_limit_s must not be negative, got {hold_limit_s}")
        super().__init__(
            {
                "concurrency": concurrency or 0,
                "max_units": max_units,
                "history": history,
                "hold_limit_s": hold_limit_s,
                "name": name,
            }
        )
        self.name = name

    def result(self, node: Node[_T], timeout: float | None = None) -> _T:
        """The result of a node, as ``node.result(timeout)``."""
        return node.result(timeout)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait in a thread until every node is decided. False when `timeout` seconds passed first.

        Raises RuntimeError inside a function of this graph.
        """
        return self._wait(math.inf if timeout is None else timeout)

    def __await__(self) -> Generator[Any, None, None]:
        """Until every node is decided."""
        return self._idle().__await__()

    def close(self, *, cancel: bool = False) -> None:
        """Take no more nodes. With `cancel`, what is undecided is cancelled; otherwise it goes on. Does not wait."""
        self._close(cancel)

    @contextmanager
    def growing(self) -> Iterator[None]:
        """While it lasts, batches of this graph wait for nodes that are still to be submitted (or `hold_limit_s`)."""
        self._add_activity(1)
        try:
            yield
        finally:
            self._add_activity(-1)

    def stats(self) -> Stats:
        """How many nodes are where, and how often batches were sent because nothing could join them any more."""
        return Stats(**self._stats())

    def nodes(self) -> list[NodeInfo]:
        """The undecided nodes in the order of submission, after the decided ones that `history` keeps."""
        return [NodeInfo(i, name or f"#{i}", kind, state, tuple(deps)) for i, name, kind, state, deps in self._nodes()]

    def to_dot(self) -> str:
        """`nodes()` as text in Graphviz's DOT language."""
        return export.to_dot(self.name, self.nodes())

    def to_graphviz(self) -> graphviz.Source:
        """`nodes()` as a ``graphviz.Source``, which notebooks draw. Raises FeatureNotBuilt without that package."""
        return export.to_graphviz(self.to_dot())

    def to_networkx(self) -> networkx.DiGraph[int]:
        """`nodes()` as a ``networkx.DiGraph``, edges from dependency to dependant; nodes have name, kind and state.

        Raises FeatureNotBuilt without that package.
        """
        return export.to_networkx(self.nodes())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.close(cancel=True)
        try:
            self.wait()
        finally:
            self.close(cancel=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.close(cancel=True)
        try:
            await self
        finally:
            self.close(cancel=True)

    def __repr__(self) -> str:
        s = self.stats()
        return (
            f"Graph {self.name!r}{' (closed)' if self.closed else ''}: {s.added} nodes, {s.undecided} undecided\n"
            f"  waiting {s.waiting}, sleeping {s.sleeping}, ready {s.ready}, running {s.running}\n"
            f"  done {s.done}, failed {s.failed}, cancelled {s.cancelled}\n"
            f"  batches sent when quiescent {s.flushes}, at the hold limit {s.limit_flushes}"
        )

    def _repr_html_(self) -> str:
        return to_html(self.name, self.stats(), self.nodes())
