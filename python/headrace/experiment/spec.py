"""Experiment specs: a TOML file becomes validated settings, or one clear line that says what is wrong.

    [experiment]
    name = "sizes"
    description = "What a larger message costs"
    part = "mq"                     # which keys a case has; see part.py, and mq_case.py for these
    repeat = 5                      # the cases in turn, five times over

    [defaults]                      # for every case
    window = 1000

    [[case]]
    name = "one"
    size = [149, 1000]              # a list is a sweep: every combination is a case of its own
    redis = { appendfsync = ["everysec", "always"] }

Errors: InvalidArgument naming the file, the key and what is allowed; NotFound for a missing file.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headrace.errors import HeadraceError, InvalidArgument, IoError, NotFound
from headrace.experiment.checks import Check, choice, nonempty, text, whole
from headrace.experiment.part import part
from headrace.results.part import DEFAULT_PART, PARTS

_EXPERIMENT: dict[str, Check] = {
    "name": nonempty,
    "description": text,
    "part": choice(*PARTS),
    "repeat": whole(1, 10_000),
    "expect": choice("valid", "generator-limited", "invalid", "failed"),
    "seed": whole(0, 2**63 - 1),
}
_CASE: dict[str, Check] = {"name": nonempty, "expect": _EXPERIMENT["expect"]}


@dataclass(frozen=True)
class CaseSpec:
    """One ``[[case]]`` merged with the defaults. Lists in ``settings`` are sweeps."""

    name: str
    expect: str
    settings: dict[str, Any]


@dataclass(frozen=True)
class Spec:
    """A validated spec. ``source`` is the file, or what the caller named it."""

    name: str
    source: str
    description: str = ""
    part: str = DEFAULT_PART
    repeat: int = 1
    seed: int | None = None  #: of the randomness in payloads and arrivals; None: a new one for each run
    cases: list[CaseSpec] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The spec as run, for run.json."""
        names = ("name", "description", "part", "repeat", "seed")
        head = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        cases = [{"name": c.name, "expect": c.expect, **c.settings} for c in self.cases]
        return {"experiment": head, "case": cases}


def load_spec(path: str | os.PathLike[str], *, overrides: Iterable[str] = ()) -> Spec:
    """Reads a spec file, or the spec of an earlier run from its folder.

    ``overrides`` are ``key=value`` texts, values in TOML, see ``parse_spec``.
    """
    file = Path(path)
    if (file / "run.json").is_file():
        file = file / "run.json"
    try:
        written = file.read_text(encoding="utf-8")
        data = json.loads(written)["spec"] if file.name == "run.json" else tomllib.loads(written)
    except FileNotFoundError:
        raise NotFound(f"{file}: no such spec file") from None
    except UnicodeDecodeError:
        raise InvalidArgument(f"{file}: not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidArgument(f"{file}: not valid TOML: {error}") from None
    except (ValueError, KeyError, TypeError):
        raise InvalidArgument(f"{file}: not the description of a run") from None
    except OSError as error:
        raise IoError(f"{file}: {error.strerror}") from None
    return parse_spec(data, source=str(file), overrides=overrides)


def parse_spec(data: Mapping[str, Any], *, source: str = "spec", overrides: Iterable[str] = ()) -> Spec:
    """Validates the tables of a spec.

    ``overrides``: ``size=100`` sets a key of every case (``size=[1,2]`` sweeps it),
    ``redis.appendfsync=always`` one inside a table, ``experiment.repeat=3`` one of the experiment.
    """
    tables = {"experiment": _EXPERIMENT, "defaults": {}, "case": {}}
    _refuse_unknown(source, "table", data, tables)
    head = dict(_table(source, "experiment", data.get("experiment", {})))
    shared = dict(_table(source, "defaults", data.get("defaults", {})))
    forced = _overrides(overrides, head)
    head = _checked(source, "experiment", head, _EXPERIMENT)
    part_name = head.get("part", DEFAULT_PART)
    keys = {**_CASE, **part(part_name).keys}
    spec_name = head.get("name", Path(source).stem)
    expect = head.get("expect", "valid")
    cases = []
    for number, raw in enumerate(_case_tables(source, data.get("case", [{}])), 1):
        merged = _merge(_merge(shared, raw), forced)
        where = f"case {merged['name']!r}" if isinstance(merged.get("name"), str) else f"case {number}"
        settings = _checked(source, where, merged, keys, sweep=True)
        name = settings.pop("name", spec_name if number == 1 else f"{spec_name}-{number}")
        cases.append(CaseSpec(name, settings.pop("expect", expect), settings))
    _refuse_twins(source, [c.name for c in cases])
    description, repeat, seed = head.get("description", ""), head.get("repeat", 1), head.get("seed")
    return Spec(spec_name, source, description, part_name, repeat, seed, cases)


def _case_tables(source: str, cases: Any) -> list[dict[str, Any]]:
    if isinstance(cases, Mapping):
        cases = [cases]  # [case] for a single one
    if not isinstance(cases, list) or not cases or not all(isinstance(c, Mapping) for c in cases):
        raise InvalidArgument(f"{source}: cases are written as [[case]] tables")
    return [dict(c) for c in cases]


def _table(source: str, name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidArgument(f"{source}: {name} must be a table, [{name}]")
    return value


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """``above`` wins; tables are merged key by key."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = _merge(old, value) if both and old is not None else value
    return merged


def _checked(
    source: str, where: str, values: Mapping[str, Any], keys: Mapping[str, Check], *, sweep: bool = False
) -> dict[str, Any]:
    _refuse_unknown(source, f"{where}: key", values, keys)
    out = {}
    for key, value in values.items():
        swept = sweep and isinstance(value, list) and key not in _CASE
        if swept and not value:
            raise InvalidArgument(f"{source}: {where}: {key} is an empty list; a sweep needs a value")
        try:
            out[key] = [keys[key](v) for v in value] if swept else keys[key](value)
        except HeadraceError as error:
            raise InvalidArgument(f"{source}: {where}: {key} {error}") from None
    return out


def _refuse_unknown(source: str, what: str, given: Iterable[str], known: Iterable[str]) -> None:
    for key in given:
        if key not in known:
            raise InvalidArgument(f"{source}: {what} {key!r} is unknown; known: {', '.join(known)}")


def _refuse_twins(source: str, names: list[str]) -> None:
    twins = sorted({n for n in names if names.count(n) > 1})
    if twins:
        raise InvalidArgument(f"{source}: two cases are named {twins[0]!r}")


def _overrides(texts: Iterable[str], head: dict[str, Any]) -> dict[str, Any]:
    """The settings forced on every case; ``experiment.*`` go into ``head`` at once."""
    forced: dict[str, Any] = {}
    for override in texts:
        key, equals, value = override.partition("=")
        names = key.strip().split(".")
        if not equals or not all(names) or len(names) > 2:
            raise InvalidArgument(f"--set {override!r}: expected KEY=VALUE, such as size=1000")
        parsed = _toml_value(value.strip())
        if names[0] == "experiment" and len(names) == 2:
            head[names[1]] = parsed
        else:
            inner = {names[1]: parsed} if len(names) == 2 else parsed
            forced = _merge(forced, {names[0]: inner})
    return forced


def _toml_value(written: str) -> Any:
    """A TOML value; what is none is taken as text, so that quotes are not needed in a shell."""
    try:
        parsed = tomllib.loads(f"v = {written}")
    except tomllib.TOMLDecodeError:
        return written
    return parsed["v"] if set(parsed) == {"v"} else written
