"""The spec file of the comparison, read into dataclasses. Errors are ValueErrors with one clear sentence."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from headrace.experiment.side_by_side.bars import Bar

T = TypeVar("T")
KINDS = ("producer", "consumer", "pair", "inproc")


@dataclass(frozen=True)
class Group:
    """One comparison: the same job for every contender."""

    name: str
    kind: str
    count: int
    appendfsync: str = "everysec"
    window: int = 1000
    read: int = 100
    latency: bool = False
    slices: int = 0  #: producers and consumers: this many turns of each contender on one server, judged in pairs
    command: list[str] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"group {self.name}: kind must be one of {', '.join(KINDS)}, not {self.kind!r}")
        if self.slices and self.kind not in ("producer", "consumer"):
            raise ValueError(f"group {self.name}: only producers and consumers can take turns in slices")


@dataclass(frozen=True)
class Settings:
    """The whole file."""

    rounds: int
    size: int
    contenders: list[str]
    groups: list[Group]
    redis: dict[str, Any] = field(default_factory=dict)


def load(path: Path) -> Settings:
    """Read `path`. Raises ValueError for what is missing, unknown or of the wrong kind; OSError."""
    try:
        spec = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: {error}") from None
    groups = []
    for table in spec.get("group", []):
        bars = [_made(Bar, bar, path) for bar in table.get("bars", [])]
        groups.append(_made(Group, {**table, "bars": bars}, path))
    return _made(Settings, {**spec.get("run", {}), "groups": groups}, path)


def quick(settings: Settings) -> Settings:
    """The same with one round of a hundredth of the messages (at least 200): a smoke test, no measurement."""
    groups = [dataclasses.replace(g, count=max(200, g.count // 100), slices=min(g.slices, 1)) for g in settings.groups]
    return dataclasses.replace(settings, rounds=1, groups=groups)


def _made(cls: type[T], table: dict[str, Any], path: Path) -> T:
    known = {f.name for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    if unknown := sorted(set(table) - known):
        raise ValueError(f"{path}: unknown setting {unknown[0]!r}; known: {', '.join(sorted(known))}")
    try:
        return cls(**table)
    except TypeError as error:
        raise ValueError(f"{path}: {error}") from None
