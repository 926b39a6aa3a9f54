"""Task graphs: functions that depend on each other, on threads and on the event loop, with timers that need neither.

>>> with headrace.Graph() as g:
...     user = g.submit(load_user, 7)
...     orders = g.submit(load_orders, user)        # a node as argument: a dependency, and its result
...     page = g.submit(render, user, orders, delay_s=0.1)
>>> page.result()

In a coroutine: ``async with headrace.Graph() as g``, ``await page``. Functions may be ``async def``; they run on the
event loop. The graph grows while it runs, also from inside its functions.

When a function fails, what depends on it does not run and raises `DependencyFailed`, whose ``__cause__`` is that
failure.
"""

from __future__ import annotations

from headrace._core.graph import Node
from headrace.graph.graph import Graph
from headrace.graph.view import NodeInfo, Stats

__all__ = ["Graph", "Node", "NodeInfo", "Stats"]
