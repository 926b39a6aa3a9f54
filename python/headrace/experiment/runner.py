"""``run()``: from a spec to a closed run folder with a verdict."""

from __future__ import annotations

import importlib
import os
import secrets
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from headrace._interrupt import Interrupt
from headrace.errors import InvalidArgument
from headrace.experiment.part import Part, Setting, part
from headrace.experiment.planning import PlannedCase, plan
from headrace.experiment.progress import Progress, for_terminal
from headrace.experiment.spec import Spec, load_spec

if TYPE_CHECKING:
    from headrace.results import Run, RunFolder


def run(
    spec: str | os.PathLike[str] | Spec,
    *,
    overrides: Iterable[str] = (),
    out: str | os.PathLike[str] = "results",
    repeat: int | None = None,
    progress: bool | None = None,
    programs: str = "",
) -> Run:
    """Runs every case of a spec and returns the closed run; its folder lies under ``out``.

    spec
        A TOML file, the folder of an earlier run (to repeat it), or a Spec from ``load_spec`` or
        ``parse_spec``.
    overrides
        ``"size=100"``, ``"redis.appendfsync=always"``: for every case; only with a file.
    repeat
        How often to run the cases, instead of the spec's own number.
    progress
        None: a live line on a terminal, a line per case elsewhere; False: nothing.
    programs
        A module for the children to take their programs from, instead of the part's own.

    Ctrl-C ends the case under way in an orderly manner; the folder is closed with the verdict ``failed``.
    What fails in one case does not keep the next from running.

    Raises InvalidArgument, NotFound or IoError for a spec or folder that cannot be used, NotFound when
    a server or program is needed and not installed.
    """
    from headrace.results import RunFolder

    if not isinstance(spec, Spec):
        spec = load_spec(spec, overrides=overrides)
    elif list(overrides):
        raise InvalidArgument("overrides go with a spec file; change the Spec instead")
    cases = plan(spec, repeat=repeat)
    importlib.import_module("headrace.results.run")  # now, so that closing the folder after Ctrl-C is quick
    seed = secrets.randbits(31) if spec.seed is None else spec.seed
    spec = replace(spec, seed=seed, repeat=spec.repeat if repeat is None else repeat)
    kind = part(spec.part)
    kind.check([case.settings for case in cases])
    folder = RunFolder.create(os.fspath(out), name=spec.name, spec=spec.to_json(), seed=seed)
    with folder, for_terminal(progress) as view, Interrupt() as interrupt:
        for number, case in enumerate(cases, 1):
            view.begin(case, number, len(cases))
            _run_one(folder, kind, case, seed, view, interrupt, programs)
            if interrupt.requested:
                return folder.close(state="interrupted", exports=False, report=False)
    return folder.close()


def _run_one(
    folder: RunFolder, kind: Part, case: PlannedCase, seed: int, view: Progress, interrupt: Interrupt, programs: str
) -> None:
    expect = None if case.expect == "valid" else case.expect
    record = folder.start_case(case.name, case.settings.to_json(), repeat=case.repeat, expect=expect)
    setting = Setting(
        folder=folder.path,
        segments=record.segments,
        anchor=folder.anchor,
        seed=seed,
        append_series=record.append_series,
        set_server=folder.set_server,
        progress=view,
        interrupt=interrupt,
        module=programs,
    )
    record.finish(kind.run(case.settings, setting))
