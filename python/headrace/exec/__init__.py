"""Executors: calls in worker processes and worker threads, with or without a server.

>>> from headrace.exec import ProcessExecutor
>>> with ProcessExecutor(max_workers=2) as executor:
...     list(executor.map(pow, [2, 3], [10, 10]))
[1024, 59049]

Both are ``concurrent.futures.Executor``; their futures are ``concurrent.futures.Future``: ``wait``, ``as_completed``,
``loop.run_in_executor`` and ``asyncio.wrap_future`` take them.

================  ==============================================================================================
ProcessExecutor   fresh interpreters: safe from notebooks and after threads were started; a worker that crashes
                  loses its own call and no other; deadlines stop what hangs; lambdas and functions of ``__main__``
                  work; large arrays and bytes travel in shared memory
ThreadExecutor    threads, with a bounded queue and deadlines for what has not begun
================  ==============================================================================================
"""

from __future__ import annotations

from headrace.exec.future import Future
from headrace.exec.process import ProcessExecutor
from headrace.exec.stats import ProcessStats, ThreadStats
from headrace.exec.thread import ThreadExecutor

__all__ = ["Future", "ProcessExecutor", "ProcessStats", "ThreadExecutor", "ThreadStats"]
