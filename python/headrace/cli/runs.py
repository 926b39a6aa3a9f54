"""headrace run, compare, report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headrace.cli import EXIT_INTERRUPTED
from headrace.cli.output import quantity, table, write_json

if TYPE_CHECKING:
    from headrace.results import Run

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def register(app: typer.Typer) -> None:
    app.command("run", epilog="Example: headrace run experiments/mq/quickstart.toml --set size=100")(run)
    app.command("compare", epilog="Example: headrace compare results/a results/b --fail-if 'p99>+10%'")(compare)
    app.command("report", epilog="Example: headrace report results/quickstart-20260101-120000")(report)


def run(
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="A TOML spec, or the folder of a run to repeat.")],
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of every case; may be repeated."),
    ] = None,
    out: Annotated[str, typer.Option(metavar="DIR", help="Where to make the run's folder.")] = "results",
    repeat: Annotated[int | None, typer.Option(metavar="N", help="Run the cases N times over.")] = None,
    json: Json = False,
) -> int:
    """Run an experiment: start what it needs, measure, check that nothing was lost, write and report."""
    from headrace import experiment

    done = experiment.run(spec, overrides=sets or (), out=out, repeat=repeat)
    if json:
        write_json(_for_programs(done))
    else:
        _show(done)
    return exit_code_of(done)


def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="Run folders; the first is the base.")],
    fail_if: Annotated[
        list[str] | None,
        typer.Option("--fail-if", metavar="RULE", help="Exit 1 when broken, such as 'p99>+10%'; may be repeated."),
    ] = None,
    json: Json = False,
) -> int:
    """Compare runs with the first one, with confidence intervals."""
    from headrace import results
    from headrace.errors import InvalidArgument

    if len(runs) < 2:
        raise InvalidArgument("compare needs two runs or more")
    found = results.compare(runs[0], *runs[1:], fail_if=fail_if or ())
    if json:
        rules = [{n: getattr(r, n) for n in ("rule", "case", "run", "outcome", "text")} for r in found.rules]
        rows = found.to_frame().to_dict("records")
        write_json({"differences": rows, "rules": rules, "notes": found.notes, "exit_code": found.exit_code})
    else:
        print(found.table())
    return int(found.exit_code)


def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder.")],
    show: Annotated[
        bool, typer.Option("--open/--no-open", help="Open it in the browser (only from a terminal).")
    ] = True,
    json: Json = False,
) -> int:
    """Write the report of a run as one HTML file, and open it."""
    from headrace import report as html
    from headrace import results

    loaded = results.load(run)
    path = Path(html.write(loaded))
    if json:
        write_json({"report": str(path), "verdict": loaded.verdict})
    else:
        print(path)
    if show and sys.stdout.isatty():
        import webbrowser

        webbrowser.open(path.resolve().as_uri())
    return 0


def exit_code_of(done: Run) -> int:
    """That of the verdict; 130, as shells have it, when the run was interrupted."""
    return EXIT_INTERRUPTED if done.state == "interrupted" else done.exit_code


def _for_programs(done: Run) -> dict[str, Any]:
    return {
        "path": str(done.path),
        "state": done.state,
        "verdict": done.verdict,
        "reasons": done.reasons,
        "notes": done.notes,
        "exit_code": done.exit_code,
        "cases": [case.summary for case in done.cases],
    }


def _show(done: Run) -> None:
    rows = []
    shown = done.figures.shown
    for case in done.cases:
        summary = case.summary
        rows.append([case.label, *(quantity(summary[s.column], s.digits) for s in shown), case.verdict.upper()])
    table(["case", *(s.heading for s in shown), "verdict"], rows)
    print(f"\n{done.verdict.upper()}")
    for text in done.reasons:
        print(f"  {text}")
    for text in done.notes:
        print(f"  note: {text}")
    _name_files(done)


def _name_files(done: Run) -> None:
    if done.path is None:
        return
    names = sorted(p.name for p in done.path.iterdir() if p.is_file() and not p.name.startswith("."))
    print(f"\n{done.path}/\n  {' '.join(names)}")
