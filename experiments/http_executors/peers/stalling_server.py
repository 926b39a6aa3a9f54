"""A server that answers at once, but for one second in every five, in which it does nothing.

python experiments/http_executors/peers/stalling_server.py PORT [STALL_S PERIOD_S]

What a load generator should find at a steady rate follows by arithmetic: a fifth of the requests are meant to start in
a stall, at a time uniform within it, so response times have p90 = 0.5 s, p99 = 0.95 s, max = 1 s.
"""

from __future__ import annotations

import asyncio
import sys
import time

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
_END = b"\r\n\r\n"


class Answering(asyncio.Protocol):
    """As many answers as there are ends of heads."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(_ANSWER * data.count(_END))


async def serve(port: int, stall_s: float, period_s: float) -> None:
    """Until it is killed. The first stall begins after ``period_s - stall_s``."""
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", port, backlog=1024)
    began = time.monotonic()
    turn = 0
    async with server:
        while True:
            turn += 1
            stall_ends = began + turn * period_s
            await asyncio.sleep(stall_ends - stall_s - time.monotonic())
            time.sleep(max(stall_ends - time.monotonic(), 0.0))  # the whole loop stands still: that is the point


if __name__ == "__main__":
    if len(sys.argv) not in (2, 4):
        sys.exit(__doc__)
    asyncio.run(serve(int(sys.argv[1]), *(float(a) for a in sys.argv[2:]) if len(sys.argv) == 4 else (1.0, 5.0)))
