"""Who may include whom: the core no Python, public headers no Beast, a part only what stands below it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CPP = ROOT / "cpp"
# Lowest first. Parts in one row do not include each other.
LAYERS = ("base", "measure", "net", "redis", "sqlite", "exec", "batch", "mq http fanout worker", "load")
RANK = {part: rank for rank, row in enumerate(LAYERS) for part in row.split()}
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)


def core_files() -> list[Path]:
    files = [p for top in ("include", "src") for p in (CPP / top).rglob("*")]
    return sorted(p for p in files if p.suffix in (".hpp", ".cpp"))


def includes(file: Path) -> list[str]:
    return INCLUDE.findall(file.read_text())


def part_of(file: Path) -> str:
    relative = file.relative_to(CPP)
    return relative.parts[2] if relative.parts[0] == "include" else relative.parts[1]


def offenders(pattern: str, files: list[Path]) -> list[str]:
    return [f"{f.relative_to(ROOT)}: {i}" for f in files for i in includes(f) if re.match(pattern, i)]


def test_core_does_not_know_python() -> None:
    assert offenders(r"pybind11|Python\.h", core_files()) == []


def test_beast_stays_out_of_public_headers() -> None:
    assert offenders(r"boost/beast", [f for f in core_files() if "include" in f.parts]) == []


def test_every_part_has_a_place_in_the_order() -> None:
    assert {part_of(f) for f in core_files()} <= set(RANK)


@pytest.mark.parametrize("file", core_files(), ids=lambda f: str(f.relative_to(CPP)))
def test_part_includes_only_what_stands_below_it(file: Path) -> None:
    own = part_of(file)
    used = {i.split("/")[1] for i in includes(file) if i.startswith("headrace/")} - {own}
    assert {part for part in used if RANK[part] >= RANK[own]} == set()
