"""An HTTP/1.1 server whose routes are native: C++ handlers, chosen by name. No Python runs per request.

>>> server = headrace.http.Server(port=8080, threads=2)
>>> server.route("GET", "/hello", native="hello")
>>> server.route("GET", "/metrics", native="metrics")
>>> with server.running() as url:
...     urllib.request.urlopen(url + "/hello").read()
b'Hello, World!'

Native routes:

=========  ===========================================================================================
hello      ``Hello, World!``
echo       the content of the request, with its Content-Type
json       the content parsed as JSON and printed again; 400 when it is not JSON
count      ``{"bytes": N}``, the size of the content
later      ``later``, from another thread, after the path parameter ``{ms}`` milliseconds
stream     the path parameter ``{bytes}`` bytes, streamed as fast as the client reads
websocket  a WebSocket that sends back what it receives
metrics    the server's counters in the text format of Prometheus
=========  ===========================================================================================

A pattern is segments between slashes: literal, ``{name}`` for one segment, or a last ``{name...}`` for all that is
left. HEAD is answered by GET's route. The server is strict about what it reads (RFC 9110, 9112, 6455): what is
malformed is answered 400 with the section it breaks, and every limit has a status of its own.
"""

from __future__ import annotations

from typing import Any

from headrace.http.listening import Listening

__all__ = ["Server"]


class Server(Listening):
    """Listens on one port with one thread or several; each accepts for itself.

    Args:
        host: address to bind; ``0.0.0.0`` or ``::`` for all.
        port: 0 for a free one, see `port` after `start`.
        threads: I/O threads.
        settings: by name, sizes in bytes, durations in float seconds ending in ``_s``:
            ``backlog`` 1024; ``share_port`` (with other processes) False; ``cert_file``, ``key_file`` (PEM, for TLS);
            ``max_connections`` 20000 (one more is answered 503), ``max_requests_per_connection`` 0 (no limit),
            ``max_request_line`` 8192 (414), ``max_headers`` 100 and ``max_header_bytes`` 32 KiB (431), ``max_body``
            16 MiB (413), ``max_chunk_line`` 1 KiB and ``max_chunk_overhead`` 16 KiB (400), ``max_trailers`` 16 and
            ``max_trailer_bytes`` 8 KiB (431), ``max_pipelined`` 64 KiB (read ahead while an answer is owed),
            ``max_stream_buffered`` 1 MiB (of a streamed answer that waits for the client), ``max_body_buffered``
            256 KiB (of content that waits for an ASGI application), ``max_streamed_body`` 0 (of all of it, 413;
            0: no limit);
            ``header_timeout_s`` 20 (408), ``body_timeout_s`` 10 (408) and ``write_timeout_s`` 10 (spans over which a
            client must keep up ``min_rate``, 500 bytes per second), ``idle_timeout_s`` 75, ``linger_timeout_s`` 2,
            ``websocket_ping_interval_s`` 30; ``cancel_on_half_close`` True; ``server_name`` "headrace" (empty: none);
            ``access_log`` (file; empty: none), ``max_access_log_buffered`` 1 MiB (lines that do not fit are counted).

    Raises InvalidArgument for a value outside its range, TypeError for an unknown setting or one of a wrong type.
    """

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, threads: int = 1, **settings: Any) -> None:
        super().__init__(host=host, port=port, threads=threads, settings=settings)

    def route(self, method: str, pattern: str, *, native: str) -> None:
        """Add a route. Raises InvalidArgument for a bad or taken pattern, an unknown name, or after `start`."""
        self._native.route(method, pattern, native)

    def start(self) -> None:
        """Bind and serve; returns at once. Raises ConnectionFailed when the port is taken, Forked in a child."""
        self._native.start()
        self._running = True

    def stop(self, grace_s: float = 10.0) -> None:
        """Accept no more, finish what was asked within ``grace_s`` seconds, close the rest. May be called again."""
        self._native.stop(grace_s)
        self._running = False
