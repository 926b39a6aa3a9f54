"""socketify, its native callbacks in one loop; what runs the task is the executor.

inline   in the loop        asyncio  a coroutine of the loop awaits what the task can await
thread   ThreadPoolExecutor          process  ProcessPoolExecutor; --unawaited is the seed's mistake
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

from socketify import App, AppListenOptions

from headrace.experiment.http import tasks


def main() -> None:
    options = tasks.arguments(__doc__ or "")
    executor: Executor | None = None
    if options.executor == "thread":
        executor = ThreadPoolExecutor(options.workers)
    elif options.executor == "process":
        executor = ProcessPoolExecutor(options.workers, mp_context=get_context("forkserver"))

    async def awaited(res: Any, req: Any) -> None:
        if executor is None:
            reply = await tasks.run_async(options.task)
        else:
            reply = await asyncio.get_running_loop().run_in_executor(executor, tasks.run, options.task)
        res.cork_end(reply)

    def at_once(res: Any, req: Any) -> None:
        if executor is None:
            res.end(tasks.run(options.task))
        else:
            executor.submit(tasks.run, options.task)
            res.end(tasks.REPLY)

    app = App()
    app.get("/", at_once if options.executor == "inline" or options.unawaited else awaited)
    app.listen(AppListenOptions(port=options.port, host="127.0.0.1"), lambda _: None)
    app.run()


if __name__ == "__main__":
    main()
