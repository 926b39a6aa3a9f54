"""headrace doctor."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from headrace.cli.output import table, write_json


def register(app: typer.Typer) -> None:
    app.command("doctor", epilog="Example: headrace doctor --json > machine.json")(doctor)


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> int:
    """Say what is built in, which servers are found, and what this machine can do."""
    from headrace.doctor import examine

    found = examine()
    if json:
        write_json(found)
        return 0
    _pairs("headrace", {k: v for k, v in found["build"].items() if k != "features"})
    rows = [[name, why or "built in"] for name, why in found["features"].items()]
    table(["feature", "state"], rows, words=2)
    print()
    rows = [
        [s["name"], s["version"] or ("found" if s["path"] else "-"), s["path"] or s["install"]]
        for s in found["programs"]
    ]
    table(["program", "version", "where, or how to get it"], rows, words=3)
    print()
    _pairs("machine", found["machine"])
    rows = [[m["what"], f"{m['median_us']:,.1f}", f"{m['p99_us']:,.1f}"] for m in found["measured"]]
    table(["measured in a moment", "median us", "p99 us"], rows)
    for text in found["advice"]:
        print(f"\n{text}")
    return 0


def _pairs(heading: str, values: dict[str, Any]) -> None:
    rows = [[name, "-" if value is None else str(value)] for name, value in values.items()]
    table([heading, ""], rows, words=2)
    print()
