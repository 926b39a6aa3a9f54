"""headrace serve http: an app behind the HTTP server."""

from __future__ import annotations

import logging
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
    workers: Annotated[
        int | None, typer.Option("--workers", "-w", metavar="N", help="With --asgi: processes that share the port; 1.")
    ] = None,
    loop: Annotated[
        str | None, typer.Option(metavar="auto|uvloop|asyncio", help="With --asgi: the event loop of each process.")
    ] = None,
    lifespan: Annotated[
        str | None, typer.Option(metavar="auto|on|off", help="With --asgi: lifespan of the application.")
    ] = None,
    factory: Annotated[
        bool | None, typer.Option("--factory", help="With --asgi: APP is a function that gives the application.")
    ] = None,
    root_path: Annotated[
        str | None, typer.Option(metavar="PATH", help="With --asgi: where a proxy has mounted the application.")
    ] = None,
    limit_concurrency: Annotated[
        int | None, typer.Option(metavar="N", help="With --asgi: requests at once; more get 503.")
    ] = None,
    reload: Annotated[bool, typer.Option("--reload", help="Start again when a module changes.")] = False,
    grace: Annotated[float, typer.Option(metavar="S", help="At the end, for requests that were accepted.")] = 30.0,
    access_log: Annotated[str, typer.Option(metavar="FILE", help="To append to.")] = "",
    cert: Annotated[str, typer.Option(metavar="PEM", help="Certificate chain: serve https.")] = "",
    key: Annotated[str, typer.Option(metavar="PEM", help="Its key, when it is not in --cert.")] = "",
) -> None:
    """Serve a headrace.http.App, or with --asgi an ASGI application, until SIGINT or SIGTERM; finish what was accepted.

    The current folder is on the module path. Prints the url on standard error when the port is open.
    """
    from headrace.errors import InvalidArgument

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")

    def ready(url: str) -> None:
        print(f"headrace: serving {target} on {url}", file=sys.stderr, flush=True)

    settings: dict[str, Any] = {}
    for name, value in (("access_log", access_log), ("cert_file", cert), ("key_file", key)):
        if value:
            settings[name] = value
    for_asgi: dict[str, Any] = {
        name: value
        for name, value in (
            ("workers", workers),
            ("loop", loop),
            ("lifespan", lifespan),
            ("factory", factory),
            ("root_path", root_path),
            ("limit_concurrency", limit_concurrency),
        )
        if value is not None
    }
    if asgi:
        if reload:
            raise InvalidArgument("--reload is for an App; let a watcher start --asgi again")
        from headrace.asgi import serve

        serve(target, host=host, port=port, threads=threads, grace_s=grace, on_ready=ready, **for_asgi, **settings)
        return
    if for_asgi:
        names = ", ".join("--" + name.replace("_", "-") for name in for_asgi)
        raise InvalidArgument(f"{names}: for --asgi only; an App says itself where its work runs")
    from headrace.http import serving

    how = serving.Serving(target, host, port, threads, grace, settings)
    if reload:
        serving.serve_reloading(how)
    else:
        serving.serve(how, ready=ready)
