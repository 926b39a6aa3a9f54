"""The ASGI application that uvicorn and granian serve: ``asgi_app:app``. Where the task runs comes by the environment.

inline   in the loop        asyncio  a coroutine of the loop awaits what the task can await
thread   ThreadPoolExecutor          process  ProcessPoolExecutor; "unawaited" is the seed's mistake
"""

from __future__ import annotations

import asyncio
import json
import os
from argparse import Namespace
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

from headrace.experiment.http import tasks

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
OPTIONS = Namespace(**json.loads(os.environ["HEADRACE_ASGI_APP"]))


def executor() -> Executor | None:
    """That of the options; None where the loop does the work. Workers are forked from a server of their own."""
    if OPTIONS.executor == "thread":
        return ThreadPoolExecutor(OPTIONS.workers)
    if OPTIONS.executor == "process":
        return ProcessPoolExecutor(OPTIONS.workers, mp_context=get_context("forkserver"))
    return None


EXECUTOR = executor()


async def reply() -> str:
    if EXECUTOR is None:
        return await tasks.run_async(OPTIONS.task) if OPTIONS.executor == "asyncio" else tasks.run(OPTIONS.task)
    if OPTIONS.unawaited:
        EXECUTOR.submit(tasks.run, OPTIONS.task)
        return tasks.REPLY
    return await asyncio.get_running_loop().run_in_executor(EXECUTOR, tasks.run, OPTIONS.task)


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        raise RuntimeError(f"{scope['type']} is not served here")  # no lifespan: the server goes on without
    body = (await reply()).encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
