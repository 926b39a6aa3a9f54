"""RFC 6455 over a raw socket: the echo route, frame by frame."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.conformance.case import request
from tests.conformance.conftest import make

MASK = b"\x01\x02\x03\x04"
HANDSHAKE = request(
    b"GET /ws HTTP/1.1",
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    b"Sec-WebSocket-Version: 13",
)


def frame(first: int, payload: bytes = b"", *, masked: bool = True) -> bytes:
    """A client's frame; ``first`` is its first byte, FIN and opcode."""
    n, flag = len(payload), 0x80 if masked else 0
    if n < 126:
        size = bytes([flag | n])
    elif n <= 0xFFFF:
        size = bytes([flag | 126]) + n.to_bytes(2, "big")
    else:
        size = bytes([flag | 127]) + n.to_bytes(8, "big")
    body = bytes(b ^ MASK[i % 4] for i, b in enumerate(payload)) if masked else payload
    return bytes([first]) + size + (MASK if masked else b"") + body


class Client:
    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.sock.sendall(HANDSHAKE)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._exactly(1)
        assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head

    def read(self) -> tuple[int, bytes]:
        """First byte and payload of the next frame, which must not be masked."""
        first, size = self._exactly(2)
        if size >= 126:
            size = int.from_bytes(self._exactly(2 if size == 126 else 8), "big")
        return first, self._exactly(size)

    def ended(self) -> bool:
        return self.sock.recv(1) == b""

    def _exactly(self, n: int) -> bytes:
        got = b""
        while len(got) < n:
            more = self.sock.recv(n - len(got))
            assert more, "the connection ended within a frame"
            got += more
        return got


@pytest.fixture
def client(port: int) -> Iterator[Client]:
    one = Client(port)
    yield one
    one.sock.close()


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 1_000_000])
def test_messages_of_every_size_come_back(client: Client, size: int) -> None:
    payload = b"x" * size
    client.sock.sendall(frame(0x82, payload))
    assert client.read() == (0x82, payload)


def test_fragments_come_back_as_one_message_with_the_pong_before_it(client: Client) -> None:
    client.sock.sendall(frame(0x01, b"ab") + frame(0x89, b"p") + frame(0x80, b"cd"))
    assert client.read() == (0x8A, b"p")
    assert client.read() == (0x81, b"abcd")


def test_a_frame_in_packets_of_one_byte(client: Client) -> None:
    for byte in frame(0x81, "h€llo".encode()):
        client.sock.sendall(bytes([byte]))
    assert client.read() == (0x81, "h€llo".encode())


def test_a_close_is_answered_and_the_connection_ends(client: Client) -> None:
    client.sock.sendall(frame(0x81, b"last") + frame(0x88, b"\x03\xe8bye"))
    assert client.read() == (0x81, b"last")
    assert client.read() == (0x88, b"\x03\xe8")
    assert client.ended()


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(0x81, b"x", masked=False), 1002),
        (frame(0xC1, b"x"), 1002),
        (frame(0x83, b"x"), 1002),
        (frame(0x09, b"x"), 1002),
        (frame(0x80, b"x"), 1002),
        (frame(0x88, b"\x03\xed"), 1002),
        (frame(0x81, b"\xff"), 1007),
        (bytes([0x82, 0xFF]) + (1 << 40).to_bytes(8, "big") + MASK, 1009),
    ],
)
def test_a_broken_frame_ends_the_connection_with_its_code(client: Client, sent: bytes, code: int) -> None:
    client.sock.sendall(frame(0x81, b"good") + sent)
    assert client.read() == (0x81, b"good")
    first, payload = client.read()
    assert (first, int.from_bytes(payload[:2], "big")) == (0x88, code)
    assert client.ended()


def test_silence_is_pinged_and_a_deaf_peer_is_given_up() -> None:
    server = make(websocket_ping_interval_s=0.1)
    with server.running(grace_s=0.0):
        quiet = Client(server.port)
        assert quiet.read() == (0x89, b"")
        assert quiet.ended()
        assert server.stats()["connections_dropped"] == 1
        quiet.sock.close()


def test_stopping_says_going_away() -> None:
    server = make(linger_timeout_s=0.2)
    server.start()
    one = Client(server.port)
    one.sock.sendall(frame(0x81, b"here"))
    assert one.read() == (0x81, b"here")
    server.stop(grace_s=0.3)
    first, payload = one.read()
    assert (first, payload[:2]) == (0x88, (1001).to_bytes(2, "big"))
    one.sock.close()
