"""Runs the stages of script/test and adds up what they found. Started by script/test inside .venv."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from script.lib.junit import Counts, read_junit
from script.lib.stages import LOGS, ROOT, STAGES, Options, Stage, Step

LINES_SHOWN = 100


def main(argv: list[str]) -> int:
    """Exit code 0 when nothing failed, 1 when something did, 130 after Ctrl-C."""
    own, pytest_args = _split(argv)
    parser = argparse.ArgumentParser(prog="script/test")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--only", action="append", choices=[s.name for s in STAGES], metavar="STAGE")
    args = parser.parse_args(own)
    options = Options(long=args.long, pytest_args=tuple(pytest_args))

    os.chdir(ROOT)
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    total, started = Counts(), time.monotonic()
    try:
        for stage in STAGES:
            if not args.only or stage.name in args.only:
                total.add(run_stage(stage, options))
    except KeyboardInterrupt:
        print("\ninterrupted")
        return 130
    print(f"\ntook {time.monotonic() - started:.0f} s; logs: {LOGS.relative_to(ROOT)}")
    print(total, flush=True)
    return 1 if total.failed else 0


def run_stage(stage: Stage, options: Options) -> Counts:
    """Runs the steps; prints one line, the output of what failed, and the reason of what was skipped."""
    print(f"{stage.name:<12}", end="", flush=True)
    started, counts, failures = time.monotonic(), Counts(), []
    if stage.program and shutil.which(stage.program) is None:
        counts = _missing(stage.program)
    else:
        for step in stage.steps(options):
            result, log = run_step(stage, step)
            counts.add(result)
            if result.failed:
                failures.append((step, log))
                if step.setup:
                    break
    print(f"{counts!s:<40}{time.monotonic() - started:8.1f} s", flush=True)
    for step, log in failures:
        _show(step, log)
    for note in counts.notes:
        print(f"    {note}")
    return counts


def run_step(stage: Stage, step: Step) -> tuple[Counts, Path]:
    """One command with its output in a log of its own."""
    log = LOGS / f"{stage.name}-{step.name.replace(' ', '-').replace('/', '-')}.log"
    code = _run(step, log)
    if step.junit is None:
        counts = Counts(failed=1) if code else Counts(passed=0 if step.setup else 1)
    else:
        counts = read_junit(step.junit)
        if code and not counts.failed:
            counts.failed = 1
    return counts, log


def _run(step: Step, log: Path) -> int:
    """The exit code; a step that takes too long, or is interrupted, is killed with everything it started."""
    with log.open("wb") as out:
        try:
            process = subprocess.Popen(
                step.command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **step.env},
                start_new_session=True,
            )
        except OSError as error:
            out.write(f"cannot start {step.command[0]}: {error}\n".encode())
            return 127
        try:
            return process.wait(step.timeout)
        except subprocess.TimeoutExpired:
            out.write(f"\nstopped: {step.name} took longer than {step.timeout:.0f} s\n".encode())
            return 1
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _missing(program: str) -> Counts:
    reason = f"{program} is not installed (script/bootstrap --all installs it where it can)"
    if os.environ.get("HEADRACE_REQUIRE_ALL") == "1":
        return Counts(failed=1, notes=[f"failed: {reason}"])
    return Counts(skipped=1, notes=[f"skipped: {reason}"])


def _show(step: Step, log: Path) -> None:
    lines = log.read_text(errors="replace").splitlines()
    shown = lines[-LINES_SHOWN:]
    print(f"--- {step.name}: the last {len(shown)} of {len(lines)} lines of {log.relative_to(ROOT)}")
    print("\n".join(shown))
    print("---", flush=True)


def _split(argv: list[str]) -> tuple[list[str], list[str]]:
    """Everything after ``--`` is for pytest."""
    at = argv.index("--") if "--" in argv else len(argv)
    return argv[:at], argv[at + 1 :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
