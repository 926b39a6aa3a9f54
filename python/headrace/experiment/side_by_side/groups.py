"""The spec of a comparison of commands: groups, who takes part, what is demanded.

    [run]
    rounds = 5                       # each round runs every contender once, in turn
    items = 200_000                  # values that commands may name, here as {items}

    [[group]]
    name = "map"
    about = "map of 1000 items, identity function"
    items = 100_000                  # another value for this group
    redis = true                     # with a private redis-server; {url} is its address
    bars = [{ metric = "rate", over = "aiodataloader", at_least = 6 }]

    [[group.contender]]
    name = "headrace"
    command = ["{python}", "{here}/workload.py", "pool", "--call", "map", "--items", "{items}"]

    [[group.contender]]
    name = "ioredis"
    needs = ["ioredis"]              # what must be there; without it the contender is left out, with the reason
    command = ["node", "{here}/peers/ioredis.mjs", "{url}"]

Commands may also name {python}, {here} (the experiment's folder), {build} and {scratch} (a temporary folder).
A command prints its figures as one line of JSON, the last line of its standard output; figures inside
tables are called ``table.figure``. Errors: ValueError with one
clear sentence, OSError.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from headrace.experiment.side_by_side.bars import Bar

T = TypeVar("T")


@dataclass(frozen=True)
class Contender:
    """Who takes part, and how it is started."""

    name: str
    command: list[str]
    needs: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Group:
    """One comparison: the same job for every contender."""

    name: str
    about: str
    contender: list[Contender]
    bars: list[Bar] = field(default_factory=list)
    redis: bool = False
    timeout: float = 60.0  #: seconds of one run
    values: Mapping[str, Any] = field(default_factory=dict)  #: what commands may name

    def __post_init__(self) -> None:
        names = [c.name for c in self.contender]
        for bar in self.bars:
            for name in (bar.of, bar.minus, *bar.rivals):
                if name is not None and name not in names:
                    raise ValueError(f"group {self.name}: a bar speaks of {name!r}, who does not take part")


@dataclass(frozen=True)
class Settings:
    """The whole file."""

    rounds: int
    groups: list[Group]


def load(path: Path, *, quick: bool = False) -> Settings:
    """Reads ``path``. ``quick``: one round, and of every whole-number value a fiftieth: a smoke test."""
    try:
        spec = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: {error}") from None
    run = dict(spec.get("run", {}))
    rounds = run.pop("rounds", 5)
    groups = [_group(path, table, run, quick) for table in spec.get("group", [])]
    if not groups:
        raise ValueError(f"{path}: no [[group]]")
    return Settings(1 if quick else rounds, groups)


def _group(path: Path, table: dict[str, Any], shared: dict[str, Any], quick: bool) -> Group:
    known = {f.name for f in dataclasses.fields(Group)} - {"values"}
    values = {**shared, **{k: v for k, v in table.items() if k not in known}}
    if quick:
        values = {k: max(v // 50, 64) if type(v) is int and v > 1000 else v for k, v in values.items()}
    rest = {k: v for k, v in table.items() if k in known}
    bars = [_made(Bar, bar, path) for bar in rest.pop("bars", [])]
    contenders = [_made(Contender, c, path) for c in rest.pop("contender", [])]
    return _made(Group, {**rest, "contender": contenders, "bars": bars, "values": values}, path)


def _made(cls: type[T], table: dict[str, Any], path: Path) -> T:
    fields = dataclasses.fields(cls)  # type: ignore[arg-type]
    known = {f.name for f in fields}
    if unknown := sorted(set(table) - known):
        raise ValueError(f"{path}: unknown setting {unknown[0]!r}; known: {', '.join(sorted(known))}")
    absent = dataclasses.MISSING
    needed = [f.name for f in fields if f.default is absent and f.default_factory is absent]
    if missing := [name for name in needed if not table.get(name)]:
        raise ValueError(f"{path}: a {cls.__name__.lower()} without {missing[0]!r}")
    return cls(**table)
