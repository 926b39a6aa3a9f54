"""headrace load http: the load generator."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from headrace.cli.output import write_json


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Load generators: latency from the intended time, limits said.")
    example = "Example: headrace load http http://127.0.0.1:8000/ --users 25 --duration 60 --connection close"
    group.command("http", epilog=example)(http)
    # Without a second command typer would make `load` itself the command.
    group.callback()(lambda: None)
    app.add_typer(group, name="load")


def http(
    urls: Annotated[list[str] | None, typer.Argument(metavar="URL", help="http:// or https://")] = None,
    file: Annotated[
        str | None, typer.Option("--file", "-f", metavar="FILE", help="A list: URL [METHOD [BODY]] on each line.")
    ] = None,
    users: Annotated[
        int | None, typer.Option("--users", "-c", metavar="N", help="Closed loop: users who wait; 25 unless said.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(metavar="R", help="Open loop: requests/s on a schedule, whatever the server does.")
    ] = None,
    poisson: Annotated[bool, typer.Option("--poisson", help="Poisson arrivals; otherwise constant gaps.")] = False,
    connections: Annotated[
        int | None, typer.Option(metavar="N", help="Open loop: connections at once; 1000 unless said.")
    ] = None,
    duration: Annotated[
        float | None, typer.Option("--duration", "-t", metavar="S", help="Seconds to measure; 10 unless --count.")
    ] = None,
    count: Annotated[int | None, typer.Option("--count", "-n", metavar="N", help="Requests to send in all.")] = None,
    warm_up: Annotated[float, typer.Option(metavar="S", help="Seconds of load that are not measured.")] = 0.0,
    ramp: Annotated[float, typer.Option(metavar="S", help="Seconds in which users or rate grow from none.")] = 0.0,
    think: Annotated[str, typer.Option(metavar="S|A:B", help="Closed loop: a user's pause; A:B uniform.")] = "0",
    timeout: Annotated[float, typer.Option(metavar="S", help="For one request, connecting included.")] = 30.0,
    drain: Annotated[float, typer.Option(metavar="S", help="At the end, for what is in flight.")] = 10.0,
    method: Annotated[str, typer.Option("--method", "-X", metavar="M", help="Of each request.")] = "GET",
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", metavar="'NAME: VALUE'", help="May be repeated.")
    ] = None,
    body: Annotated[str, typer.Option("--body", "-d", metavar="TEXT|@FILE", help="Content of each request.")] = "",
    connection: Annotated[
        str, typer.Option(metavar="keep-alive|close", help="close: a new one per request, as siege does.")
    ] = "keep-alive",
    random: Annotated[bool, typer.Option("--random", help="URLs in random order; otherwise in turn.")] = False,
    expect_status: Annotated[
        str | None, typer.Option(metavar="LIST", help="What is a success: 200,300-399 or 2xx. Default: below 400.")
    ] = None,
    expect_body: Annotated[str, typer.Option(metavar="TEXT", help="What a good answer contains.")] = "",
    insecure: Annotated[bool, typer.Option("--insecure", "-k", help="TLS: do not check the certificate.")] = False,
    ca_file: Annotated[str, typer.Option(metavar="PEM", help="TLS: authorities to trust.")] = "",
    cert: Annotated[str, typer.Option(metavar="PEM", help="TLS: our own certificate.")] = "",
    key: Annotated[str, typer.Option(metavar="PEM", help="TLS: its key, when it is not in --cert.")] = "",
    threads: Annotated[int, typer.Option(metavar="N", help="Of the generator.")] = 1,
    seed: Annotated[int, typer.Option(metavar="N", help="Of arrivals, pauses and order.")] = 0,
    fail_if: Annotated[
        list[str] | None,
        typer.Option("--fail-if", metavar="RULE", help="Exit 1 when it holds: 'p99>200ms', 'failed>0.1%'; repeatable."),
    ] = None,
    csv: Annotated[str | None, typer.Option(metavar="FILE", help="A row per request; - is standard output.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No live line.")] = False,
) -> int:
    """Put an HTTP server under load; print siege's summary, percentiles, and whether the figures can be trusted.

    Exit codes: 0 valid; 1 failed: nothing succeeded, or a --fail-if holds; 2 bad usage;

    3 the server does not keep up with --rate, or the figures show the generator's limits; 130 interrupted.
    """
    from headrace import load
    from headrace.errors import InvalidArgument

    requests: list[str | load.Request] = [*(urls or []), *(load.read_requests(file) if file else [])]
    if not requests:
        raise InvalidArgument("no URL was given; write for example: headrace load http http://127.0.0.1:8000/")
    if connection not in ("keep-alive", "close"):
        raise InvalidArgument("--connection must be keep-alive or close")
    try:
        result = load.http(
            *requests,
            users=users,
            rate=rate,
            arrivals="poisson" if poisson else "constant",
            connections=connections,
            duration_s=duration,
            count=count,
            warm_up_s=warm_up,
            ramp_s=ramp,
            think_s=_pause(think),
            timeout=timeout,
            drain_s=drain,
            method=method,
            headers=[_header(text) for text in header or []],
            body=_body(body),
            keep_alive=connection == "keep-alive",
            random_order=random,
            expect_status=expect_status,
            expect_body=expect_body,
            verify=not insecure,
            ca_file=ca_file,
            cert_file=cert,
            key_file=key,
            threads=threads,
            seed=seed,
            fail_if=fail_if or [],
            csv=sys.stdout if csv == "-" else csv,
            live=False if quiet else None,
        )
    except load.Interrupted as stopped:
        result = stopped.result
    out = sys.stderr if csv == "-" else sys.stdout
    if json:
        write_json(result.to_dict(), out)
    else:
        print(result.summary(), file=out)
    return result.exit_code


def _pause(text: str) -> tuple[float, float]:
    from headrace.errors import InvalidArgument

    least, colon, most = text.partition(":")
    try:
        return float(least), float(most if colon else least)
    except ValueError:
        raise InvalidArgument(f"cannot read the pause {text!r}; write seconds, such as 0.5, or 0:1") from None


def _header(text: str) -> tuple[str, str]:
    from headrace.errors import InvalidArgument

    name, colon, value = text.partition(":")
    if not colon:
        raise InvalidArgument(f"cannot read the header {text!r}; write 'Name: value'")
    return name.strip(), value.strip()


def _body(text: str) -> bytes:
    from headrace.errors import IoError

    if not text.startswith("@"):
        return text.encode()
    try:
        with open(text[1:], "rb") as file:
            return file.read()
    except OSError as error:
        raise IoError(f"cannot read the content {text[1:]}: {error.strerror}") from None
