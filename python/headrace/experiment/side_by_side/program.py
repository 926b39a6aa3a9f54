"""The command line of a comparison of commands; an experiment's ``side_by_side.py`` is a few lines over ``main``.

Exit status: 0 all bars reached (or none could be judged), 1 a bar was missed or a run failed, 2 bad usage.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import shlex
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from headrace.errors import HeadraceError
from headrace.experiment.side_by_side.bars import demand, judge, verdict_line
from headrace.experiment.side_by_side.child import Child, RunFailed
from headrace.experiment.side_by_side.groups import Contender, Group, Settings, load
from headrace.experiment.side_by_side.needs import Need
from headrace.experiment.side_by_side.tables import Shown, machine, progress, table
from headrace.servers import RedisServer


@dataclasses.dataclass(frozen=True)
class Experiment:
    """What differs between experiments."""

    here: Path  #: its folder; side_by_side.toml lies there
    about: str  #: the help text
    columns: Sequence[Shown]
    basis: str  #: how to read the columns
    needs: Mapping[str, Need]
    #: Figures of the command's JSON line that must be 0, or equal: (figure, other figure or 0).
    must: Sequence[tuple[str, str | int]] = ()


def main(experiment: Experiment, argv: Sequence[str] | None = None) -> int:
    """Runs what the command line asks for."""
    args = _arguments(experiment).parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leave by the way that stops servers and removes files
    try:
        return Comparison(experiment, args, _selected(args)).run()
    except (ValueError, OSError) as error:
        print(f"side_by_side: {error}", file=sys.stderr)
        return 2
    except (RunFailed, HeadraceError) as error:
        print(f"side_by_side: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("side_by_side: interrupted", file=sys.stderr)
        return 130


def _arguments(experiment: Experiment) -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=experiment.about, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--spec", type=Path, default=experiment.here / "side_by_side.toml", help="groups and bars")
    p.add_argument("--only", nargs="+", metavar="GROUP", help="these groups (default: all)")
    p.add_argument("--rounds", type=int, help="runs per contender (default: the spec's)")
    p.add_argument("--contenders", nargs="+", metavar="NAME", help="these contenders (default: all)")
    p.add_argument("--quick", action="store_true", help="a smoke test with few items; bars are not judged")
    p.add_argument("--json", type=Path, metavar="FILE", help="write every sample here")
    p.add_argument("--list", action="store_true", help="name the groups and leave")
    return p


def _selected(args: argparse.Namespace) -> Settings:
    chosen = load(args.spec, quick=args.quick)
    names = [g.name for g in chosen.groups]
    if unknown := sorted(set(args.only or ()) - set(names)):
        raise ValueError(f"no group {unknown[0]!r}; groups: {', '.join(names)}")
    if args.rounds is not None and args.rounds < 1:
        raise ValueError("--rounds must be at least 1")
    groups = [g for g in chosen.groups if args.only is None or g.name in args.only]
    known = {c.name for g in groups for c in g.contender}
    if unknown := sorted(set(args.contenders or ()) - known):
        raise ValueError(f"no contender {unknown[0]!r}; contenders: {', '.join(sorted(known))}")
    return Settings(args.rounds or chosen.rounds, groups)


class Comparison:
    """One call of the program."""

    def __init__(self, experiment: Experiment, args: argparse.Namespace, settings: Settings) -> None:
        self._experiment, self._args, self._settings = experiment, args, settings
        self._bars: list[tuple[str, str, bool | None]] = []  # group, line, reached or not judged
        self._results: list[dict[str, Any]] = []
        self._absent: dict[str, str] = {}

    def run(self) -> int:
        """All groups, then all bars once more; returns the exit status."""
        if self._args.list:
            print("\n".join(f"{g.name:24} {g.about}" for g in self._settings.groups))
            return 0
        print(f"{machine()}\n{self._experiment.basis}")
        with tempfile.TemporaryDirectory(prefix="side-by-side-") as scratch:
            for group in self._settings.groups:
                self._group(group, Path(scratch))
        if self._args.json is not None:
            document = {"machine": machine(), "rounds": self._settings.rounds, "groups": self._results}
            self._args.json.write_text(json.dumps(document, indent=1) + "\n")
        return self._conclusion()

    def _conclusion(self) -> int:
        if not self._bars:
            return 0
        print("\nAll bars")
        width = max(len(group) for group, *_ in self._bars)
        for group, line, _ in self._bars:
            print(f"  {group.ljust(width)}{line}")
        missed = sum(reached is False for *_, reached in self._bars)
        open_ = sum(reached is None for *_, reached in self._bars)
        print(f"{len(self._bars) - missed - open_} reached, {missed} missed, {open_} not judged")
        return 1 if missed else 0

    def _group(self, group: Group, scratch: Path) -> None:
        print(f"\n{group.name}: {group.about}, {self._settings.rounds} rounds", flush=True)
        contenders = self._present(group)
        if not contenders:
            return
        samples: dict[str, list[dict[str, Any]]] = {c.name: [] for c in contenders}
        with self._server(group) as url:
            for c in contenders:
                print(f"  {c.name}: {self._shown(self._command(group, c, url, scratch))}")
            for done in range(self._settings.rounds):
                # Forwards and backwards in turn: what drifts with time favours nobody.
                for c in contenders[:: 1 if done % 2 == 0 else -1]:
                    progress(f"{group.name}: round {done + 1} of {self._settings.rounds}, {c.name}")
                    samples[c.name].append(self._sample(group, c, url, scratch))
            progress("")
        if shown := table(samples, self._experiment.columns):
            print(shown, flush=True)
        self._judge(group, samples)

    def _judge(self, group: Group, samples: dict[str, list[dict[str, Any]]]) -> None:
        verdicts = []
        for bar in [] if self._args.quick else group.bars:
            verdict = judge(bar, samples)
            if verdict is None:
                names = [n for n in (bar.of, bar.minus, *bar.rivals) if n is not None and n not in samples]
                why = "; ".join(self._absent.get(n, f"{n} did not take part") for n in names)
                line, reached = f"  not judged {demand(bar)}: {why}", None
            else:
                line, reached = verdict_line(verdict), verdict.reached
                verdicts.append(verdict)
            print(line, flush=True)
            self._bars.append((group.name, line, reached))
        plain = {"name": group.name, "about": group.about, "values": dict(group.values)}
        bars = [dataclasses.asdict(v) for v in verdicts]
        self._results.append({"group": plain, "samples": samples, "bars": bars})

    def _present(self, group: Group) -> list[Contender]:
        present = []
        for contender in group.contender:
            if self._args.contenders and contender.name not in self._args.contenders:
                continue
            reasons = [self._experiment.needs[need]() for need in contender.needs]
            missing = next((r for r in reasons if r), None)
            if missing is None:
                present.append(contender)
            else:
                self._absent[contender.name] = missing
                print(f"  {contender.name} is left out: {missing}", flush=True)
        return present

    @contextlib.contextmanager
    def _server(self, group: Group) -> Iterator[str]:
        if not group.redis:
            yield ""
            return
        with RedisServer(appendonly=False) as server:
            yield server.url

    def _command(self, group: Group, contender: Contender, url: str, scratch: Path) -> list[str]:
        root = self._experiment.here.parents[1]
        places = {"python": sys.executable, "here": str(self._experiment.here), "build": str(root / "build")}
        known = {**group.values, **places, "url": url, "scratch": str(scratch)}
        try:
            return [part.format(**known) for part in contender.command]
        except KeyError as error:
            raise ValueError(f"group {group.name}: a command names {error}, which has no value") from None

    def _shown(self, command: list[str]) -> str:
        line = shlex.join(command).replace(sys.executable, "python")
        return line.replace(f"{self._experiment.here.parents[1]}/", "")

    def _sample(self, group: Group, contender: Contender, url: str, scratch: Path) -> dict[str, Any]:
        command = self._command(group, contender, url, scratch)
        with Child(command, scratch / "run.out", timeout=group.timeout) as child:
            end = child.wait()
        lines = end.output.read_text(errors="replace").strip().splitlines()
        try:
            figures = _flat(dict(json.loads(lines[-1])))
        except (IndexError, ValueError, TypeError):
            raise RunFailed(f"{shlex.join(command)} printed no line of JSON at its end") from None
        for figure, wanted in self._experiment.must:
            if figure not in figures:
                continue
            expected = figures.get(wanted) if isinstance(wanted, str) else wanted
            if figures[figure] != expected:
                raise RunFailed(f"{group.name}, {contender.name}: {figure} is {figures[figure]}, and not {expected}")
        return figures


def _flat(figures: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Figures inside tables are called ``table.figure``."""
    found: dict[str, Any] = {}
    for name, value in figures.items():
        found |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found
