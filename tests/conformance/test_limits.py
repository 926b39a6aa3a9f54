"""Slow clients, greedy clients, and stopping: what a server must survive, each with a probe that is still answered."""

from __future__ import annotations

import socket
import ssl
import time
import urllib.request
from pathlib import Path

import pytest

from headrace.errors import ConnectionFailed, InvalidArgument
from headrace.servers.certificate import self_signed
from tests.conformance.case import request
from tests.conformance.conftest import make
from tests.conformance.exchange import Reader, exchange

GET = request()
POST = b"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def everything(sock: socket.socket) -> bytes:
    got = b""
    while more := sock.recv(65536):
        got += more
    return got


def test_a_head_that_does_not_end_in_time_is_answered_408(serve):
    server = serve(header_timeout_s=0.2)
    with connect(server.port) as slow:
        slow.sendall(b"GET /hello HTTP/1.1\r\nHost")
        assert exchange(server.port, GET, responses=1).outcome == "200 open"
        assert everything(slow).startswith(b"HTTP/1.1 408 ")
    assert server.stats()["timeouts"] == 1


def test_a_connection_that_never_says_anything_is_closed_silently(serve):
    server = serve(header_timeout_s=0.2)
    with connect(server.port) as mute:
        assert everything(mute) == b""


def test_content_below_the_floor_is_answered_408_and_above_it_is_not(serve):
    server = serve(body_timeout_s=1.0, min_rate=1000)
    with connect(server.port) as slow, connect(server.port) as steady:
        slow.sendall(POST)
        steady.sendall(POST)
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            slow.sendall(b"x")
            steady.sendall(b"x" * 1000)
            time.sleep(0.02)  # the pace of the clients is what is tested
            slow.setblocking(False)
            try:
                ended = slow.recv(100, socket.MSG_PEEK) is not None
            except BlockingIOError:
                ended = False
            slow.setblocking(True)
            if ended:
                break
        slow.settimeout(10)
        assert everything(slow).startswith(b"HTTP/1.1 408 ")
        assert server.stats()["timeouts"] == 1, "the steady client is above the floor"


def test_an_idle_connection_is_closed(serve):
    server = serve(idle_timeout_s=0.2)
    with connect(server.port) as idle:
        idle.sendall(GET)
        assert everything(idle).startswith(b"HTTP/1.1 200 ")


def test_a_client_that_does_not_read_is_cut_off_and_costs_no_memory(serve):
    server = serve(write_timeout_s=0.5, max_stream_buffered=100_000)
    with connect(server.port) as deaf:
        deaf.sendall(request(b"GET /stream/1000000000 HTTP/1.1"))
        while server.stats()["connections_dropped"] == 0:
            assert exchange(server.port, GET, responses=1).outcome == "200 open"
        assert server.stats()["bytes_out"] < 100_000_000


def test_one_connection_too_many_is_answered_503(serve):
    server = serve(max_connections=2)
    with connect(server.port) as one, connect(server.port) as two:
        one.sendall(GET)
        two.sendall(GET)
        assert Reader(one).response(head=False).status == Reader(two).response(head=False).status == 200
        with connect(server.port) as three:
            assert everything(three).startswith(b"HTTP/1.1 503 ")
    assert server.stats()["connections_refused"] == 1


def test_the_last_request_of_a_connection_is_told_so(serve):
    server = serve(max_requests_per_connection=3)
    got = exchange(server.port, GET * 5, responses=3)
    assert got.outcome == "200 200 200 close"
    assert [r.fields.get("connection") for r in got.responses] == [None, None, "close"]


def test_limits_are_settings(serve):
    server = serve(max_body=4, max_headers=2, max_request_line=60)
    assert (
        exchange(server.port, request(b"POST /echo HTTP/1.1", b"Content-Length: 5"), responses=1).outcome == "413 close"
    )
    assert exchange(server.port, request(b"GET /hello HTTP/1.1", b"A: b", b"C: d"), responses=1).outcome == "431 close"
    assert exchange(server.port, request(b"GET /" + b"x" * 60 + b" HTTP/1.1"), responses=1).outcome == "414 close"


def test_stop_answers_what_was_asked_before_it_and_refuses_what_comes_after():
    server = make(threads=2)
    server.start()
    with connect(server.port) as busy:
        busy.sendall(request(b"GET /later/300 HTTP/1.1"))
        while server.stats()["requests"] == 0:
            time.sleep(0.001)
        server.stop(grace_s=10.0)
        answer = everything(busy)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"Connection: close" in answer
    with pytest.raises(ConnectionRefusedError):
        connect(server.port)
    server.stop()


def test_a_request_that_the_kernel_had_accepted_is_served_though_the_server_stops():
    server = make()
    server.start()
    clients = [connect(server.port) for _ in range(50)]
    for client in clients:
        client.sendall(GET)
    server.stop(grace_s=10.0)
    for client in clients:
        with client:
            assert everything(client).startswith(b"HTTP/1.1 200 ")


def test_port_in_use_and_bad_settings_are_errors(serve):
    server = serve()
    with pytest.raises(ConnectionFailed, match=str(server.port)):
        make(port=server.port).start()
    with pytest.raises(TypeError, match="no_such"):
        make(no_such=1)
    with pytest.raises(TypeError, match="max_body"):
        make(max_body="large")
    with pytest.raises(InvalidArgument, match="hello, echo"):
        make().route("GET", "/x", native="no such")
    with pytest.raises(InvalidArgument, match="already routed"):
        make().route("GET", "/hello", native="hello")


def test_access_log_has_a_line_for_each_answer(serve, tmp_path: Path):
    log = tmp_path / "access.log"
    server = make(access_log=str(log))
    with server.running():
        exchange(server.port, request(b"GET /later/1?x=y HTTP/1.1") + b"bad\r\n\r\n", responses=2)
    del server  # the writer ends with it
    first, second = log.read_text().splitlines()
    assert first.startswith("127.0.0.1 - - [")
    assert '"GET /later/1?x=y HTTP/1.1" 200 ' in first
    assert " 400 " in second


def test_metrics_are_what_stats_says(serve):
    server = serve()
    exchange(server.port, GET + b"bad\r\n\r\n", responses=2)
    text = server.metrics()
    assert "headrace_http_requests_total 1\n" in text
    assert "headrace_http_bad_requests_total 1\n" in text
    assert 'headrace_http_responses_total{class="4xx"} 1\n' in text
    with urllib.request.urlopen(f"{server.url}/metrics") as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")


def test_tls(serve, tmp_path: Path):
    cert, key = self_signed(tmp_path, host="127.0.0.1")
    server = serve(cert_file=str(cert), key_file=str(key))
    context = ssl.create_default_context(cafile=str(cert))
    assert server.url.startswith("https://")
    with connect(server.port) as plain, context.wrap_socket(plain, server_hostname="localhost") as secure:
        reader = Reader(secure)
        secure.sendall(GET * 3)
        assert [reader.response(head=False).status for _ in range(3)] == [200] * 3
        secure.sendall(request(b"POST /echo HTTP/1.1", b"Content-Length: 100000", body=b"x" * 100_000))
        assert reader.response(head=False).body == b"x" * 100_000
        secure.sendall(request(b"GET /stream/3000000 HTTP/1.1", b"Connection: close"))
        assert len(reader.response(head=False).body) == 3_000_000
        assert secure.recv(1) == b"", "close_notify, not a torn connection"
