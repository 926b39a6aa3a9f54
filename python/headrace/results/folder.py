"""Writing a run folder while the run goes on, so that whatever happens to the run, the folder can be loaded.

=====================  ======================================================================
written                when
=====================  ======================================================================
``run.json``           at once, and again whenever a case starts or ends; always whole
``segments/<case>/``   by the native recorder of each program while it runs
``series.jsonl``       one line per second and case, flushed; replaced by series.parquet at the end
everything else        by ``close()``
=====================  ======================================================================

Threads: one thread at a time. Errors: IoError when the disk is full or the folder cannot be written.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from headrace._core import clock_anchor
from headrace.errors import Closed, InvalidArgument, IoError
from headrace.results import atomic
from headrace.results.machine import describe_machine, describe_versions, process_identity
from headrace.results.redact import redact
from headrace.results.verdict import ORDER, CaseFacts

if TYPE_CHECKING:
    from headrace.results.run import Run

FORMAT = "headrace-run"
FORMAT_VERSION = 1


class RunFolder:
    """The folder of one run. Use it as a context manager, or call ``close()``.

    An exception that leaves the block closes the folder with the verdict ``failed`` (KeyboardInterrupt:
    interrupted).

    Attributes:
        path: the folder, ``<out>/<name>-<time>``.
        segments: where programs record; give each case its own folder (``start_case().segments``).
        anchor: (monotonic ns, epoch ns) read at one moment; hand it to child processes.
    """

    def __init__(self, path: Path, document: dict[str, Any]) -> None:
        self.path = path
        self.segments = path / "segments"
        self.anchor: tuple[int, int] = (document["anchor"]["monotonic_ns"], document["anchor"]["epoch_ns"])
        self._document = document
        self._cases: list[CaseFolder] = []
        self._series: Any = None
        self._closed: Run | None = None

    @classmethod
    def create(
        cls,
        out: str | Path,
        *,
        name: str,
        spec: Mapping[str, Any],
        seed: int | None = None,
        command: Sequence[str] | None = None,
    ) -> RunFolder:
        """Makes ``<out>/<name>-<YYYYmmdd-HHMMSS>/`` (with a number behind when taken) and its run.json.

        ``spec`` is stored as run, without passwords; ``seed`` is that of all randomness in the run;
        ``command`` is what reproduces it (default: the command line of this process). Raises
        InvalidArgument for an empty name, IoError when the folder cannot be made.
        """
        slug = slugify(name)
        if not slug:
            raise InvalidArgument(f"the name of a run needs a letter or digit, not {name!r}")
        path = _make_folder(Path(out), f"{slug}-{time.strftime('%Y%m%d-%H%M%S')}")
        monotonic_ns, epoch_ns = clock_anchor()
        document = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "name": name,
            "state": "running",
            "verdict": None,
            "reasons": [],
            "notes": [],
            "started": _iso(epoch_ns),
            "ended": None,
            "seed": seed,
            "command": redact(list(command) if command is not None else _command_line()),
            "spec": redact(dict(spec)),
            "server": None,
            "cases": [],
            "anchor": {"monotonic_ns": monotonic_ns, "epoch_ns": epoch_ns},
            "process": process_identity(),
            "versions": describe_versions(),
            "machine": describe_machine(),
        }
        folder = cls(path, document)
        folder._save()
        return folder

    def start_case(
        self, name: str, params: Mapping[str, Any], *, repeat: int = 1, expect: str | None = None
    ) -> CaseFolder:
        """Registers a case that now begins. Its programs record into ``.segments`` of the result.

        ``repeat`` counts from 1. ``expect`` is the verdict that the case is made for (None: valid). Raises
        InvalidArgument when the same name and repeat was started before, Closed after close().
        """
        self._check_open()
        if expect is not None and expect not in ORDER:
            raise InvalidArgument(f"expect = {expect!r} is no verdict; known: {', '.join(ORDER)}")
        if any(c.name == name and c.repeat == repeat for c in self._cases):
            raise InvalidArgument(f"case {name!r}, repeat {repeat}, was started before")
        slug = f"{len(self._cases) + 1:03d}-{slugify(name) or 'case'}" + (f"-r{repeat}" if repeat > 1 else "")
        entry = {
            "name": name,
            "repeat": repeat,
            "params": redact(dict(params)),
            "expect": expect,
            "folder": f"segments/{slug}",
            "state": "running",
            "started_ns": clock_anchor()[0],
            "ended_ns": None,
            "facts": {},
        }
        case = CaseFolder(self, entry)
        try:
            case.segments.mkdir(parents=True)
        except OSError as error:
            raise atomic.io_error("make", case.segments, error) from error
        self._document["cases"].append(entry)
        self._cases.append(case)
        self._save()
        return case

    def append_series(self, row: Mapping[str, Any]) -> None:
        """One row of schema.SERIES (missing columns are null, unknown ones are kept), flushed to the file
        system.

        Without ``case`` the row belongs to the case started last.
        """
        self._check_open()
        owner = {"case": self._cases[-1].name, "repeat": self._cases[-1].repeat} if self._cases else {}
        line = json.dumps(atomic.jsonable(owner | dict(row)), ensure_ascii=False) + "\n"
        path = self.path / "series.jsonl"
        try:
            if self._series is None:
                self._series = path.open("a", encoding="utf-8")
            self._series.write(line)
            self._series.flush()
        except OSError as error:
            raise atomic.io_error("write", path, error) from error

    def set_server(self, config: Mapping[str, Any]) -> None:
        """Stores the configuration of the server or broker (any JSON object; passwords are removed)."""
        self._check_open()
        self._document["server"] = redact(dict(config))
        self._save()

    def close(
        self,
        *,
        state: str = "finished",
        failures: Sequence[str] = (),
        exports: bool = True,
        report: bool = True,
    ) -> Run:
        """Builds samples, series, summary, exports and report, and writes the verdict. A second call does
        nothing.

        ``state`` is ``finished`` or ``interrupted``; ``failures`` are sentences that make the whole run
        ``failed``.
        ``exports`` and ``report`` say whether CSVs and report.html are wanted.

        Raises IoError when something could not be written; what could be is there, and the folder loads.
        """
        if self._closed is not None:
            return self._closed
        if state not in ("finished", "interrupted"):
            raise InvalidArgument(f"state is 'finished' or 'interrupted', not {state!r}")
        from headrace.results import build

        if self._series is not None:
            self._series.close()
        for case in self._cases:
            if case.entry["state"] == "running":
                case.cut("the run was interrupted" if state == "interrupted" else "the case was never finished")
        self._document |= {"state": state, "ended": _iso(self._epoch_now()), "failures": list(failures)}
        self._closed = build.finish(self.path, self._document, exports=exports, report=report)
        return self._closed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
            return
        interrupted = isinstance(error, KeyboardInterrupt)
        text = "interrupted (Ctrl-C)" if interrupted else f"{type(error).__name__}: {error}"
        try:
            self.close(state="interrupted" if interrupted else "finished", failures=[text])
        except IoError as second:
            error.add_note(str(second))

    def __repr__(self) -> str:
        return f"<RunFolder {self.path} {self._document['state']}, {len(self._cases)} cases>"

    def _check_open(self) -> None:
        if self._closed is not None:
            raise Closed(f"the run folder {self.path} is closed")

    def _epoch_now(self) -> int:
        return clock_anchor()[0] - self.anchor[0] + self.anchor[1]

    def _save(self) -> None:
        atomic.write_json(self.path / "run.json", self._document)


class CaseFolder:
    """One case of a run that is being written. Made by ``RunFolder.start_case``.

    Attributes:
        name, repeat: what identifies the case within the run; repeats count from 1.
        segments: the folder for this case's files: ``sent*.seg`` and ``received*.seg`` (or ``.csv`` in the
            seed's format); nothing else is read.
    """

    def __init__(self, run: RunFolder, entry: dict[str, Any]) -> None:
        self._run = run
        self.entry = entry
        self.name: str = entry["name"]
        self.repeat: int = entry["repeat"]
        self.segments: Path = run.path / entry["folder"]

    def append_series(self, row: Mapping[str, Any]) -> None:
        """As RunFolder.append_series, for this case."""
        self._run.append_series({"case": self.name, "repeat": self.repeat} | dict(row))

    def finish(self, facts: CaseFacts | None = None) -> None:
        """Says that all programs of the case have ended, with what the verdict needs to know. A second call
        is ignored."""
        if self.entry["state"] != "running":
            return
        self._end("finished", facts or CaseFacts())

    def cut(self, reason: str, facts: CaseFacts | None = None) -> None:
        """Ends the case as failed for ``reason`` (a sentence)."""
        given = facts or CaseFacts()
        self._end("cut", replace(given, failures=(*given.failures, reason)))

    def _end(self, state: str, facts: CaseFacts) -> None:
        stored = atomic.jsonable(redact(asdict(facts)))
        self.entry |= {"state": state, "ended_ns": clock_anchor()[0], "facts": stored}
        self._run._save()

    def __repr__(self) -> str:
        return f"<CaseFolder {self.name!r} repeat {self.repeat} {self.entry['state']}>"


def slugify(name: str) -> str:
    """``name`` as part of a file name: ASCII letters, digits, dot, dash and underscore; 60 characters at
    most."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:60]


def _make_folder(out: Path, name: str) -> Path:
    for number in range(1, 1000):
        path = out / (name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir(parents=True)
            (path / "segments").mkdir()
            return path
        except FileExistsError:
            if not out.is_dir():
                raise IoError(f"cannot make a run folder in {out}: it is not a folder") from None
        except OSError as error:
            raise IoError(f"cannot make the run folder {path}: {error.strerror or error}") from error
    raise IoError(f"cannot make a run folder: {out / name} and 998 more are taken")


def _command_line() -> list[str]:
    program = Path(sys.argv[0]).name if sys.argv and sys.argv[0] else "python"
    return [program, *sys.argv[1:]]


def command_text(command: Sequence[str]) -> str:
    """The command as one would type it."""
    return shlex.join(command)


def _iso(epoch_ns: int) -> str:
    seconds, rest = divmod(epoch_ns, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest // 1_000_000:03d}Z"
