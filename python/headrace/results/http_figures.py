"""The figures of the http part: siege's columns, tasks finished against replies sent, and what no server can exceed.

A row is believed only when every reply came after its task had finished, as the tasks themselves count, and when its
rate is below the bound that workers, users and the interpreter's lock set.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

from headrace.results.build import CaseResult
from headrace.results.counted import Bound, Findings, analyse, impossible, least
from headrace.results.part import Figures, Shown
from headrace.results.recording import Recording, number
from headrace.results.schema import JUDGEMENT, KEYS, Column, spread
from headrace.results.verdict import CaseFacts, bound_users, bound_workers

_OWN = (
    Column("server", "string", "", "headrace, or the program of a peer"),
    Column("executor", "string", "", "where the task ran"),
    Column("task", "string", "", "what it did, see experiments/http_executors"),
    Column("users", "int64", "", "who each wait for a reply before they ask again"),
    Column("workers", "int64", "", "threads or processes of the executor"),
    Column("transactions", "int64", "requests", "good replies within the measured time"),
    Column("availability", "double", "%", "of the requests that had a good reply, then or later"),
    Column("data_mb", "double", "MB", "content received"),
    Column("response_s", "double", "s", "mean response time, what timed out or was never answered included"),
    Column("throughput_mb", "double", "MB/s", "content received per second"),
    Column("concurrency", "double", "requests", "in flight, averaged over the measured time"),
    Column("failed", "int64", "requests", "that failed, then or later"),
    Column("longest_s", "double", "s", "longest response time"),
    Column("shortest_s", "double", "s", "shortest response time"),
    Column("in_flight", "int64", "requests", "under way when the measured time ended"),
    Column("never_answered", "int64", "requests", "of those, without a reply when the generator stopped waiting"),
    Column("replied", "int64", "replies", "good replies in all, with those of the warm-up and those after the end"),
    Column("finished", "int64", "tasks", "that had finished when the last reply came, as the tasks count themselves"),
    Column("unfinished", "int64", "tasks", "replied and not finished: must be 0"),
    Column("task_cpu_s", "double", "s", "CPU of one task on this machine, measured apart; 0 where it mostly waits"),
    Column("pss_mb", "double", "MB", "largest memory of the server's process tree (proportional set size)"),
    Column("server_cpu", "double", "cores", "CPU of the server's process tree over the whole load"),
    Column("generator_cpu", "double", "cores", "CPU of the generator over the whole load"),
)
COLUMNS: Final = (*KEYS, *_OWN, *spread("response", "response time"), *JUDGEMENT)


def judge(recording: Recording, facts: CaseFacts, settings: dict[str, Any]) -> tuple[Findings, Bound]:
    """What speaks against a case, and the bound of its rate."""
    figures = recording.figures
    bound = bound_of(recording, settings)
    found = Findings(failed=list(facts.failures), notes=list(facts.notes))
    if not recording and not found.failed:
        found.failed.append("nothing was recorded: the program ended without a figure")
    if recording:
        found.failed += [*(figures.get("errors") or []), *_fell_short(figures, bound, settings)]
        found.invalid = [
            *_unfinished(figures),
            *_too_quick(figures),
            *impossible(recording, _with_edges(figures, bound), "a rate"),
        ]
        found.limited = list(figures.get("limits") or [])
        found.notes += [f"{name}: {words}" for name, words in (figures.get("samples") or {}).items()]
    return found, bound


def bound_of(recording: Recording, settings: dict[str, Any]) -> Bound:
    """Tasks per second that cannot be exceeded, by what workers, users and the interpreter's lock allow."""
    figures = recording.figures
    users, at_once = settings.get("users") or 0, int(number(figures, "at_once", 0))
    sleeps, cpu_s = number(figures, "task_sleep_s", 0.0), number(figures, "task_cpu_s", 0.0)
    known = [_of_users(figures, sleeps, users)]
    if sleeps > 0 and at_once > 0:
        known.append(Bound(bound_workers(at_once, sleeps), f"{at_once:,} at a time of {sleeps:g} s"))
    if cpu_s > 0:
        known.append(_of_cpu(figures, at_once, cpu_s))
    return least(*known)


def _of_users(figures: dict[str, Any], sleeps: float, users: int) -> Bound:
    """Users that wait for each reply: for as long as the task sleeps, or as the quickest reply took."""
    if sleeps > 0 and users > 0:
        return Bound(bound_users(users, sleeps), f"{users:,} users who wait {sleeps:g} s")
    shortest = number(figures, "shortest_s", 0.0)
    if shortest <= 0 or users == 0:
        return Bound()
    return Bound(bound_users(users, shortest), f"{users:,} users who wait at least {shortest * 1e3:,.3f} ms")


def _of_cpu(figures: dict[str, Any], at_once: int, cpu_s: float) -> Bound:
    """Tasks that use the CPU: one at a time under a lock, otherwise as many as there are cores."""
    cores, locked = int(number(figures, "cores", 1)), bool(figures.get("one_lock"))
    lanes = 1 if locked else min(at_once or cores, cores)
    why = "under the lock of one interpreter" if locked else f"on {lanes:,} of {cores:,} cores"
    return Bound(lanes / cpu_s, f"tasks of {cpu_s * 1e3:,.3f} ms of CPU {why}")


def _unfinished(figures: dict[str, Any]) -> list[str]:
    unfinished, replied = int(figures.get("unfinished") or 0), int(figures.get("replied") or 0)
    if unfinished == 0:
        return []
    return [f"{unfinished:,} of {replied:,} replies came before their task had finished: the tasks were not awaited"]


def _too_quick(figures: dict[str, Any]) -> list[str]:
    sleeps, shortest = number(figures, "task_sleep_s", 0.0), number(figures, "shortest_s")
    if not 0 < shortest < sleeps * 0.99:
        return []
    return [f"a reply came after {shortest:.3f} s, and its task sleeps {sleeps:g} s"]


def _fell_short(figures: dict[str, Any], bound: Bound, settings: dict[str, Any]) -> list[str]:
    wanted, rate = settings.get("least_share") or 0.0, number(figures, "rate", 0.0)
    if math.isnan(bound.rate) or rate >= wanted * bound.rate:
        return []
    share = f"{rate:,.2f}/s is {rate / bound.rate:.1%} of {bound.rate:,.2f}/s ({bound.why})"
    return [f"{share}; at least {wanted:.0%} was demanded"]


def _with_edges(figures: dict[str, Any], bound: Bound) -> Bound:
    """What a measured time may hold: of tasks that had begun before it, one more per worker or user ends in it."""
    seconds = number(figures, "duration_s", 0.0)
    before = int(number(figures, "at_once", 0)) or int(number(figures, "users", 0))
    if seconds <= 0 or math.isnan(bound.rate):
        return bound
    return Bound(bound.rate + before / seconds, f"{bound.why} (and {before:,} that had begun before)")


def _analyse(path: Path, document: dict[str, Any], entry: dict[str, Any]) -> CaseResult:
    return analyse(path, entry, COLUMNS, judge)


FIGURES = Figures(
    columns=COLUMNS,
    metrics=("rate", "response_p50", "response_p99", "availability", "server_cpu", "pss_mb"),
    durations=("response",),
    shown=(
        Shown("transactions", "trans-\nactions"),
        Shown("availability", "avail-\nability %", 2),
        Shown("response_s", "response\ns", 2),
        Shown("rate", "rate\n/s", 2),
        Shown("bound", "bound\n/s", 2),
        Shown("concurrency", "concur-\nrency", 2),
        Shown("longest_s", "longest\ns", 2),
        Shown("finished", "tasks\nfinished"),
        Shown("replied", "replies"),
        Shown("server_cpu", "server\ncores", 2),
        Shown("pss_mb", "PSS\nMB", 0),
    ),
    glance=("transactions", "availability", "response_s", "rate", "bound", "finished", "replied", "server_cpu"),
    analyse=_analyse,
)
