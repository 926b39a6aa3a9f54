"""The seed's four servers on Tornado, and the later one that awaits: what runs the task is the executor.

sync     the seed's 1_sync.py: the standard library's TCPServer with its backlog of 5, one request at a time
inline   2_async.py: the task runs in the I/O loop
asyncio  a coroutine of the I/O loop awaits what the task can await
thread   3_thread.py: concurrent.futures.ThreadPoolExecutor
process  4_process.py: concurrent.futures.ProcessPoolExecutor; --unawaited is the seed's version of it
"""

from __future__ import annotations

import asyncio
import socketserver
from argparse import Namespace
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor

import tornado.netutil
import tornado.web
from tornado.httpserver import HTTPServer

from headrace.experiment.http import tasks


class OneAtATime(socketserver.StreamRequestHandler):
    """Reads a head, does the task, answers, and closes."""

    timeout = 10
    task = "sleep"

    def handle(self) -> None:
        if not self.rfile.readline():
            return  # somebody who only looked whether the port is open
        while self.rfile.readline().strip():
            pass
        reply = tasks.run(self.task).encode()
        self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(reply), reply))


class Handler(tornado.web.RequestHandler):
    """Does the task where the command line says."""

    def initialize(self, settings: Namespace, executor: Executor | None) -> None:
        self._settings, self._executor = settings, executor

    async def get(self) -> None:
        task = self._settings.task
        if self._executor is None:
            self.write(await tasks.run_async(task) if self._settings.executor == "asyncio" else tasks.run(task))
        elif self._settings.unawaited:
            self._executor.submit(tasks.run, task)
            self.write(tasks.REPLY)
        else:
            self.write(await asyncio.get_running_loop().run_in_executor(self._executor, tasks.run, task))


async def serve(options: Namespace) -> None:
    pools = {"thread": ThreadPoolExecutor, "process": ProcessPoolExecutor}
    pool = pools.get(options.executor)
    executor = pool(options.workers) if pool else None
    app = tornado.web.Application([("/", Handler, {"settings": options, "executor": executor})])
    server = HTTPServer(app)
    server.add_sockets(tornado.netutil.bind_sockets(options.port, "127.0.0.1", backlog=options.backlog))
    await asyncio.Event().wait()


def main() -> None:
    options = tasks.arguments(__doc__ or "")
    if options.executor == "sync":
        OneAtATime.task = options.task
        socketserver.TCPServer.allow_reuse_address = True
        with socketserver.TCPServer(("127.0.0.1", options.port), OneAtATime) as server:
            server.serve_forever()
    else:
        asyncio.run(serve(options))


if __name__ == "__main__":
    main()
