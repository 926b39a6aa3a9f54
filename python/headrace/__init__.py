"""headrace: a messaging and concurrency core in C++20 that you script from Python.

>>> import headrace
>>> headrace.has("redis")
True

Parts are modules: ``headrace.mq`` (producers, consumers, and the programs that measure them), ``headrace.redis``
(native client), ``headrace.batch`` (calls that batch themselves), ``headrace.graph`` (units that depend on each other),
``headrace.exec`` (calls in worker processes and threads), ``headrace.http`` (server, each route on its executor),
``headrace.load`` (load generator), ``headrace.measure`` (histogram, recorder), ``headrace.servers`` (private servers),
``headrace.experiment`` and ``headrace.results``.
Importing the package is cheap: a part loads on first use, and so do pandas and the command line.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from headrace import errors
from headrace._core import Future
from headrace.errors import HeadraceError
from headrace.features import build_config, has, why_not

__version__: str = build_config()["version"]

_PARTS = ("batch", "exec", "experiment", "graph", "http", "load", "measure", "mq", "redis", "results", "servers")

__all__ = [
    "Future",
    "Graph",
    "HeadraceError",
    "Node",
    "__version__",
    "batch",
    "build_config",
    "errors",
    "exec",
    "experiment",
    "graph",
    "has",
    "http",
    "load",
    "measure",
    "mq",
    "redis",
    "results",
    "servers",
    "why_not",
]

if TYPE_CHECKING:
    from headrace import exec, experiment, graph, http, load, measure, mq, redis, results, servers
    from headrace.batch.decorator import BatchModule
    from headrace.graph import Graph, Node

    batch: BatchModule


def __getattr__(name: str) -> Any:
    if name in _PARTS:
        return importlib.import_module(f"headrace.{name}")
    if name in ("Graph", "Node"):
        return getattr(importlib.import_module("headrace.graph"), name)
    raise AttributeError(f"module 'headrace' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
