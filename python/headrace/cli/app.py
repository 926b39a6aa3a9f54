"""The table of contents of the command line: one module per group of commands."""

from __future__ import annotations

from typing import Annotated

import typer

from headrace import __version__
from headrace.cli import doctor, load, mq, runs, serve

app = typer.Typer(
    name="headrace",
    help="Measure message queues on your own machine, with figures that add up.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"headrace {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


doctor.register(app)
runs.register(app)
mq.register(app)
load.register(app)
serve.register(app)
