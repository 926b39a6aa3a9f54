"""Our server of one case: ``python -m headrace.experiment.http.app --port 8000 --executor thread --task sleep``."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from headrace import http
from headrace.exec import ProcessExecutor
from headrace.experiment.http import tasks

_QUEUE = 100_000  #: users wait in it; how long it may get is not what is measured


def make(options: Namespace) -> http.App:
    """An application whose only route runs the task in the executor that was asked for."""
    app = http.App(thread_workers=options.workers, process_workers=options.workers)
    if options.executor == "native":
        app.get("/later/{ms}", native="later")  # sleeps as the tasks do, without a thread that waits
    elif options.unawaited:
        app.route("/", executor="inline")(_unawaited(options))
    elif options.executor == "inline":
        app.route("/", executor="inline")(running(options.task))
    else:
        handler = awaiting(options.task) if options.executor == "asyncio" else running(options.task)
        app.route("/", executor=options.executor, max_queue_size=_QUEUE)(handler)
    return app


def running(task: str) -> Any:
    """A handler that does the task."""

    def run(request: http.Request) -> str:
        return tasks.run(task)

    return run


def awaiting(task: str) -> Any:
    """The same as a coroutine."""

    async def run(request: http.Request) -> str:
        return await tasks.run_async(task)

    return run


def _unawaited(options: Namespace) -> Any:
    """The seed's mistake: the task is handed to the executor, and the reply leaves at once."""
    executor = ProcessExecutor(options.workers, max_queue_size=10_000_000, prestart=options.workers)

    def submit(request: http.Request) -> str:
        executor.submit(tasks.run, options.task)
        return tasks.REPLY

    return submit


def main() -> None:
    options = tasks.arguments(__doc__ or "")
    make(options).serve("127.0.0.1", options.port, backlog=options.backlog)


if __name__ == "__main__":
    main()
