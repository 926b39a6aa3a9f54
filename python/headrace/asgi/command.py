"""The command line of `headrace.asgi.serve`: ``python -m headrace.asgi``, and `register` for other programs."""

from __future__ import annotations

import logging
import os
import sys
from typing import Annotated

import typer


def serve_asgi(
    target: Annotated[str, typer.Argument(metavar="MODULE:APP", help="The application; a dotted path is fine.")],
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="To bind; 0.0.0.0 or :: for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", "-p", metavar="N", help="0 for a free one.")] = 8000,
    workers: Annotated[int, typer.Option("--workers", "-w", metavar="N", help="Processes that share the port.")] = 1,
    threads: Annotated[int, typer.Option(metavar="N", help="Native I/O threads of each process.")] = 1,
    loop: Annotated[str, typer.Option(metavar="auto|uvloop|asyncio", help="Event loop of each process.")] = "auto",
    lifespan: Annotated[str, typer.Option(metavar="auto|on|off", help="Of the application.")] = "auto",
    factory: Annotated[bool, typer.Option("--factory", help="APP is a function that gives the application.")] = False,
    root_path: Annotated[str, typer.Option(metavar="PATH", help="Where a proxy has mounted the application.")] = "",
    limit_concurrency: Annotated[
        int, typer.Option(metavar="N", help="Requests at once; more get 503. 0: no limit.")
    ] = 0,
    grace: Annotated[float, typer.Option(metavar="S", help="At the end, for what is under way.")] = 10.0,
    cert_file: Annotated[str, typer.Option("--cert", metavar="PEM", help="TLS: the certificate.")] = "",
    key_file: Annotated[str, typer.Option("--key", metavar="PEM", help="TLS: its key, when it is not in --cert.")] = "",
    access_log: Annotated[str, typer.Option(metavar="FILE", help="A line per request; empty: none.")] = "",
) -> int:
    """Serve an ASGI application until SIGINT or SIGTERM; what was accepted by then is answered.

    Exit codes: 0 stopped by a signal; 1 the application did not start, the port is taken; 2 bad usage.
    """
    from headrace import asgi

    logging.basicConfig(
        level=os.environ.get("HEADRACE_LOG", "INFO").upper(), format="%(levelname)s %(name)s: %(message)s"
    )
    asgi.serve(
        target,
        host=host,
        port=port,
        workers=workers,
        threads=threads,
        loop=loop,
        lifespan=lifespan,
        factory=factory,
        root_path=root_path,
        limit_concurrency=limit_concurrency,
        grace_s=grace,
        cert_file=cert_file,
        key_file=key_file,
        access_log=access_log,
        on_ready=lambda url: print(f"serving {target} on {url}", file=sys.stderr, flush=True),
    )
    return 0


def main() -> object:
    app = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})
    app.command(epilog="Example: python -m headrace.asgi package.module:app --port 8000 --workers 2")(serve_asgi)
    return app(prog_name="python -m headrace.asgi", standalone_mode=False)
