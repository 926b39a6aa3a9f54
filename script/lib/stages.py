"""The stages of script/test: which commands each one runs, and what a machine must have for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / "build" / "test-logs"
CLANG = "clang++-14"
FUZZ_SECONDS_EACH = 20
FUZZ_SECONDS_TOTAL = 120


@dataclass(frozen=True)
class Options:
    """What the user asked for on the command line."""

    long: bool = False
    pytest_args: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """One command of a stage.

    With ``junit`` the results are read from that file; without, the command is one check; a ``setup`` step
    counts only when it fails, and then ends its stage. ``timeout`` is in seconds.
    """

    name: str
    command: list[str]
    junit: Path | None = None
    setup: bool = False
    timeout: float = 900
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """A named list of steps; ``program`` must be on PATH, otherwise the stage is skipped."""

    name: str
    steps: Callable[[Options], Iterator[Step]]
    program: str | None = None


def jobs() -> int:
    """Parallel compilers: one per usable core, and no more than one per 1.5 GiB of memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(len(os.sched_getaffinity(0)), int(memory / (1.5 * 2**30))))


def lint(_: Options) -> Iterator[Step]:
    python = sys.executable
    sources = [str(p) for p in sorted((ROOT / "cpp").rglob("*")) if p.suffix in (".hpp", ".cpp")]
    yield Step("ruff check", [python, "-m", "ruff", "check", "--output-format", "concise"])
    yield Step("ruff format", [python, "-m", "ruff", "format", "--check"])
    yield Step("clang-format", [_beside_python("clang-format"), "--dry-run", "-Werror", *sources])
    yield Step("mypy", [python, "-m", "mypy"])
    yield Step("stubs", [python, "-m", "script.lib.check_stubs"], env={"MYPYPATH": "python"})


def unit(_: Options) -> Iterator[Step]:
    yield from _built("dev")
    yield _ctest("dev")


def asan(_: Options) -> Iterator[Step]:
    yield from _built("asan")
    yield _ctest("asan", {"UBSAN_OPTIONS": "print_stacktrace=1"})


def tsan(_: Options) -> Iterator[Step]:
    yield from _built("tsan")
    yield _ctest("tsan", {"TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1"})


def fuzz(options: Options) -> Iterator[Step]:
    """Each target for 20 s, all for 120 s at most; with --long ten times that. build/ keeps the corpus."""
    if not (ROOT / "cpp" / "fuzz").is_dir():
        return
    yield from _built("fuzz")
    folder = ROOT / "build" / "fuzz" / "cpp" / "fuzz"
    targets = sorted(p for p in folder.iterdir() if p.is_file() and p.suffix == "" and os.access(p, os.X_OK))
    seconds = min(FUZZ_SECONDS_EACH, FUZZ_SECONDS_TOTAL // max(1, len(targets))) * (10 if options.long else 1)
    for target in targets:
        found = ROOT / "build" / "fuzz-corpus" / target.name
        found.mkdir(parents=True, exist_ok=True)
        seeds = ROOT / "cpp" / "fuzz" / "corpus" / target.name
        limits = [f"-max_total_time={seconds}", "-timeout=10", f"-artifact_prefix={LOGS}/{target.name}-"]
        folders = [str(found), *([str(seeds)] if seeds.is_dir() else [])]
        yield Step(target.name, [str(target), *limits, *folders], timeout=seconds + 120)


def python(options: Options) -> Iterator[Step]:
    yield from _pytest("python", options, timeout=900)


def integration(options: Options) -> Iterator[Step]:
    yield from _pytest("integration", options, timeout=1200)


def conformance(options: Options) -> Iterator[Step]:
    yield from _pytest("conformance", options, timeout=600)


def notebooks(options: Options) -> Iterator[Step]:
    yield from _pytest("notebooks", options, timeout=600)


STAGES = (
    Stage("lint", lint),
    Stage("unit", unit),
    Stage("asan", asan, CLANG),
    Stage("tsan", tsan, CLANG),
    Stage("fuzz", fuzz, CLANG),
    Stage("python", python),
    Stage("integration", integration),
    Stage("conformance", conformance),
    Stage("notebooks", notebooks),
)


def _built(preset: str) -> Iterator[Step]:
    features = "ON" if os.environ.get("HEADRACE_REQUIRE_ALL") == "1" else "OFF"
    configure = ["cmake", "--preset", preset, f"-DHEADRACE_WITH_ALL={features}"]
    build = ["cmake", "--build", "--preset", preset, "--parallel", str(jobs()), "--", "-k", "0"]  # all errors at once
    yield Step(f"configure {preset}", configure, setup=True, timeout=300)
    yield Step(f"build {preset}", [*_fixed_addresses(preset), *build], setup=True, timeout=2400)


def _ctest(preset: str, env: dict[str, str] | None = None) -> Step:
    junit = LOGS / f"ctest-{preset}.xml"
    options = ["--no-tests=error", "--parallel", str(jobs()), "--output-junit", str(junit)]
    command = [*_fixed_addresses(preset), "ctest", "--preset", preset, *options]
    return Step(f"ctest {preset}", command, junit, env=env or {})


def _pytest(folder: str, options: Options, timeout: float) -> Iterator[Step]:
    if not any((ROOT / "tests" / folder).rglob("test_*.py")):
        return
    junit = LOGS / f"pytest-{folder}.xml"
    extra = [*(["--long"] if options.long else []), *options.pytest_args]
    command = [sys.executable, "-m", "pytest", f"tests/{folder}", "-q", f"--junitxml={junit}", *extra]
    yield Step(f"pytest tests/{folder}", command, junit, timeout=timeout * (6 if options.long else 1))


def _fixed_addresses(preset: str) -> list[str]:
    """A prefix that turns address randomisation off: clang 14's sanitizers fail under 32 bits of it."""
    if preset not in ("asan", "tsan", "fuzz") or shutil.which("setarch") is None:
        return []
    prefix = ["setarch", "-R"]
    allowed = subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
    return prefix if allowed else []


def _beside_python(program: str) -> str:
    return str(Path(sys.executable).parent / program)
