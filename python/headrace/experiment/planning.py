"""From a spec to the list of cases to run: sweeps multiplied out, repeats interleaved.

Repeats go round robin (a b c, a b c, ...), so that a machine that grows slower during the run slows all cases
alike.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from headrace.errors import InvalidArgument
from headrace.experiment.part import Case, part
from headrace.experiment.spec import CaseSpec, Spec

_MOST_CASES = 10_000


@dataclass(frozen=True)
class PlannedCase:
    """One case to run. ``name`` tells it from the others of a sweep; ``repeat`` counts from 1."""

    name: str
    repeat: int
    expect: str
    settings: Case


def plan(spec: Spec, *, repeat: int | None = None) -> list[PlannedCase]:
    """Every case in the order in which it runs; ``repeat`` overrides the spec's own."""
    times = spec.repeat if repeat is None else repeat
    if times < 1:
        raise InvalidArgument(f"repeat must be a whole number from 1, not {times}")
    make = part(spec.part).case
    expanded = [item for case in spec.cases for item in _expand(spec.source, case, make)]
    if len(expanded) * times > _MOST_CASES:
        raise InvalidArgument(f"{spec.source}: {len(expanded) * times} cases; at most {_MOST_CASES} in one run")
    return [
        PlannedCase(name, turn, expect, settings) for turn in range(1, times + 1) for name, expect, settings in expanded
    ]


def _expand(source: str, case: CaseSpec, make: Callable[..., Case]) -> Iterator[tuple[str, str, Case]]:
    flat = dict(_flatten(case.settings))
    axes = [[(key, v) for v in value] for key, value in flat.items() if isinstance(value, list)]
    fixed = {key: value for key, value in flat.items() if not isinstance(value, list)}
    for point in itertools.product(*axes):
        label = ",".join(f"{key.rpartition('.')[2]}={_short(value)}" for key, value in point)
        name = f"{case.name},{label}" if label else case.name
        try:
            settings = make(**_nest({**fixed, **dict(point)}))
        except InvalidArgument as error:
            raise InvalidArgument(f"{source}: case {name!r}: {error}") from None
        yield name, case.expect, settings


def _flatten(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}.{inner}", v) for inner, v in value.items())
        else:
            yield key, value


def _nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        outer, dot, inner = key.partition(".")
        if dot:
            nested.setdefault(outer, {})[inner] = value
        else:
            nested[key] = value
    return nested


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
