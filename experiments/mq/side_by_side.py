"""Headrace and its rivals in turn on private Redis servers: medians, ratios, bars reached or missed.

    python experiments/mq/side_by_side.py
    python experiments/mq/side_by_side.py --only producer-everysec-64 consumer-100 --rounds 9

The groups, their sizes and their bars are in side_by_side.toml. Every round runs each contender once, in
turn, so that a noisy minute hits all of them; the bars compare medians. A disk whose fsync takes 4 ms now and
14 ms in a second decides more than any client, so the groups with `slices` let the contenders take short turns
on one server, forwards and backwards, and compare neighbours: the median ratio with its 95 % interval. A bar
inside that interval is UNDECIDED: more --rounds narrow it.

Exit status: 0 all bars reached (or none could be judged), 1 a bar was missed or a run failed, 2 bad usage.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from comparison import settings, verdicts
from comparison.bench import Bench, Sample
from comparison.contenders import CONTENDERS, Contender, Job, commands
from comparison.settings import Group, Settings

from headrace.errors import HeadraceError
from headrace.experiment.side_by_side.bars import OURS, judge, verdict_line
from headrace.experiment.side_by_side.child import RunFailed
from headrace.experiment.side_by_side.tables import machine, progress, table

HERE = Path(__file__).resolve().parent
BASIS = """\
messages/s     first send (consumer: first receipt) to last acknowledgement, as the program saw them
program/s      the whole process from outside, minus its start-up (the same command with one message)
client us/msg  user and system CPU of the client, start-up taken off; next to it with start-up
               (pairs and inproc: start-up is left in both, and a pair's CPU is that of both clients)
server us/msg  user and system CPU of redis-server while the client ran
writes/1000    write calls of redis-server per 1000 messages: one to the append-only file (with `always` also an
               fsync) and one to the client per turn of its loop, so fewer is more messages per fsync"""


def main() -> int:
    """Run what the command line asks for."""
    args = parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leave by the way that stops servers and removes files
    try:
        chosen = select(args)
        return Comparison(args, chosen).run()
    except (ValueError, OSError) as error:
        print(f"side_by_side: {error}", file=sys.stderr)
        return 2
    except (RunFailed, HeadraceError) as error:
        print(f"side_by_side: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("side_by_side: interrupted", file=sys.stderr)
        return 130


def parse_args() -> argparse.Namespace:
    """The command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--spec", type=Path, default=HERE / "side_by_side.toml", help="groups and bars")
    p.add_argument("--only", nargs="+", metavar="GROUP", help="these groups (default: all)")
    p.add_argument("--rounds", type=int, help="runs per contender, or slices (default: the spec's)")
    p.add_argument("--contenders", nargs="+", choices=[c.name for c in CONTENDERS], help="these contenders")
    p.add_argument("--without-ours", action="store_true", help="the rivals alone")
    p.add_argument("--quick", action="store_true", help="a smoke test with few messages; bars are not judged")
    p.add_argument("--pin", action="store_true", help="server on core 0, clients on core 1 (default: free)")
    p.add_argument("--scratch", type=Path, help="where CSVs go while they are measured (default: a temporary folder)")
    p.add_argument("--json", type=Path, metavar="FILE", help="write every sample here")
    p.add_argument("--list", action="store_true", help="name the groups and leave")
    return p.parse_args()


def select(args: argparse.Namespace) -> Settings:
    """The spec with what the command line overrides. Raises ValueError."""
    chosen = settings.load(args.spec)
    if args.quick:
        chosen = settings.quick(chosen)
    names = [g.name for g in chosen.groups]
    if unknown := sorted(set(args.only or ()) - set(names)):
        raise ValueError(f"no group {unknown[0]!r}; groups: {', '.join(names)}")
    if args.rounds is not None and args.rounds < 1:
        raise ValueError("--rounds must be at least 1")
    contenders = args.contenders or chosen.contenders
    return Settings(
        rounds=args.rounds or chosen.rounds,
        size=chosen.size,
        contenders=[c for c in contenders if not (args.without_ours and c == OURS)],
        groups=[g for g in chosen.groups if args.only is None or g.name in args.only],
        redis=chosen.redis,
    )


class Comparison:
    """One call of the program."""

    def __init__(self, args: argparse.Namespace, chosen: Settings) -> None:
        self._args = args
        self._settings = chosen
        self._missed = 0
        self._results: list[dict[str, object]] = []

    def run(self) -> int:
        """All groups; returns the exit status."""
        if self._args.list:
            print("\n".join(g.name for g in self._settings.groups))
            return 0
        contenders = self._present()
        with tempfile.TemporaryDirectory(prefix="side-by-side-", dir=self._args.scratch) as scratch:
            bench = Bench(self._settings, Path(scratch), pin=self._args.pin)
            print(f"{machine()}\n{self._placement()}\n{BASIS}")
            for group in self._settings.groups:
                self._group(bench, group, contenders)
        if self._args.json is not None:
            self._args.json.write_text(json.dumps(self._document(), indent=1) + "\n")
        return 1 if self._missed else 0

    def _present(self) -> list[Contender]:
        present = []
        for contender in CONTENDERS:
            if contender.name in self._settings.contenders:
                reason = contender.missing()
                if reason is None:
                    present.append(contender)
                else:
                    print(f"{contender.name} is left out: {reason}", file=sys.stderr)
        if not present:
            raise ValueError("no contender can run here")
        return present

    def _group(self, bench: Bench, group: Group, contenders: list[Contender]) -> None:
        if group.kind == "inproc":
            contenders = [c for c in contenders if c.name == OURS]
            if not contenders:
                return
        print(f"\n{group.name}: {describe(group, self._settings, self._rounds_of(group))}", flush=True)
        self._show_commands(group, contenders)
        samples = self._rounds(bench, group, contenders)
        paired = group.slices > 0
        judged = [] if self._args.quick else [judge(bar, samples, paired=paired) for bar in group.bars]
        known = [v for v in judged if v is not None]
        print(table(samples, verdicts.COLUMNS))
        for verdict in known:
            print(verdict_line(verdict))
        self._missed += sum(not v.reached for v in known)
        self._results.append(verdicts.as_json(group, samples, known))

    def _rounds(self, bench: Bench, group: Group, contenders: list[Contender]) -> dict[str, list[Sample]]:
        with contextlib.ExitStack() as stack:
            shared = group.kind == "consumer" or group.slices > 0
            server = stack.enter_context(bench.server(group)) if shared else None
            if server is not None and group.kind == "consumer":
                bench.fill(group, server)
            startups = {c.name: bench.startup(group, c) for c in contenders}
            samples: dict[str, list[Sample]] = {c.name: [] for c in contenders}
            rounds = self._rounds_of(group)
            for done in range(rounds):
                # Forwards and backwards in turn: what drifts with time favours nobody.
                for c in contenders[:: 1 if done % 2 == 0 else -1]:
                    progress(f"{group.name}: round {done + 1} of {rounds}, {c.name}")
                    if group.kind == "producer" and server is not None:
                        sample = bench.produce_on(group, c, startups[c.name], server)
                    elif group.kind == "producer":
                        sample = bench.produce(group, c, startups[c.name])
                    elif server is not None:
                        sample = bench.consume(group, c, startups[c.name], server)
                    elif group.kind == "pair":
                        sample = bench.pair(group, c)
                    else:
                        sample = bench.inproc(group, HERE)
                    samples[c.name].append(sample)
            progress("")
            return samples

    def _rounds_of(self, group: Group) -> int:
        return group.slices if group.slices and self._args.rounds is None else self._settings.rounds

    def _show_commands(self, group: Group, contenders: list[Contender]) -> None:
        size = self._settings.size
        job = Job("127.0.0.1", 6379, "bench", "bench", group.count, size, group.window, group.read, group.latency)
        for contender in contenders:
            for command in commands(contender, group.kind, job):
                print(f"  {contender.name}: {command}", flush=True)

    def _placement(self) -> str:
        if self._args.pin:
            return "pinned: redis-server's main thread on core 0, clients on core 1"
        return "not pinned: the kernel places server and clients"

    def _document(self) -> dict[str, Any]:
        return {
            "machine": machine(),
            "placement": self._placement(),
            "rounds": self._settings.rounds,
            "size": self._settings.size,
            "redis": self._settings.redis,
            "groups": self._results,
        }


def describe(group: Group, chosen: Settings, rounds: int) -> str:
    """The job in words."""
    parts = [f"{group.count:,} messages of {chosen.size} B"]
    parts.append(f"{rounds} slices each on one server" if group.slices else f"{rounds} rounds")
    if group.kind != "inproc":
        parts.append(f"appendfsync {group.appendfsync}")
    if group.kind in ("producer", "pair"):
        parts.append(f"window {group.window}")
    if group.kind in ("consumer", "pair"):
        parts.append(f"COUNT {group.read}")
    return ", ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
