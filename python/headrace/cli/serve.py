"""headrace serve http: an app behind the HTTP server."""

from __future__ import annotations

import importlib
import sys
from typing import Annotated, Any

import typer


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Servers.")
    example = "Example: headrace serve http shop:app --port 8080 --reload"
    group.command("http", epilog=example)(http)
    # Without a second command typer would make `serve` itself the command.
    group.callback()(lambda: None)
    app.add_typer(group, name="serve")


def http(
    target: Annotated[str, typer.Argument(metavar="MODULE:APP", help="Where the app is: a module and a name in it.")],
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="To bind; 0.0.0.0 or :: for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", "-p", metavar="N", help="0: a free one.")] = 8000,
    threads: Annotated[int, typer.Option(metavar="N", help="I/O threads; each accepts for itself.")] = 1,
    asgi: Annotated[bool, typer.Option("--asgi", help="APP is an ASGI application: FastAPI, Starlette.")] = False,
    workers: Annotated[int, typer.Option(metavar="N", help="With --asgi: processes that share the port.")] = 1,
    reload: Annotated[bool, typer.Option("--reload", help="Start again when a module changes.")] = False,
    grace: Annotated[float, typer.Option(metavar="S", help="At the end, for requests that were accepted.")] = 30.0,
    access_log: Annotated[str, typer.Option(metavar="FILE", help="To append to.")] = "",
    cert: Annotated[str, typer.Option(metavar="PEM", help="Certificate chain: serve https.")] = "",
    key: Annotated[str, typer.Option(metavar="PEM", help="Its key, when it is not in --cert.")] = "",
) -> None:
    """Serve a headrace.http.App until SIGINT or SIGTERM; then finish what was accepted.

    The current folder is on the module path. Prints the url on standard error when the port is open.
    """
    from headrace.errors import InvalidArgument

    def ready(url: str) -> None:
        print(f"headrace: serving {target} on {url}", file=sys.stderr, flush=True)

    settings: dict[str, Any] = {}
    for name, value in (("access_log", access_log), ("cert_file", cert), ("key_file", key)):
        if value:
            settings[name] = value
    if asgi:
        importlib.import_module("headrace.asgi").serve(
            target, host=host, port=port, threads=threads, workers=workers, grace_s=grace, on_ready=ready, **settings
        )
        return
    if workers != 1:
        raise InvalidArgument("--workers is for --asgi; an App says itself how many process_workers it has")
    from headrace.http import serving

    how = serving.Serving(target, host, port, threads, grace, settings)
    if reload:
        serving.serve_reloading(how)
    else:
        serving.serve(how, ready=ready)
