"""What an idle keep-alive connection costs the server: (PSS with N of them - PSS with none) / N, without TLS.

    python experiments/http_executors/idle_bench.py [--connections 10000] [--idle 60] [--json]

The server is a process of its own, native, with one thread. Each connection sends one request, gets its answer, and
stays. PSS is read from /proc/PID/smaps_rollup after the idle time, which is long enough for buffers to be given back.
Exit 0 when the bar of 3 KB is reached, 1 when it is not, 2 when nothing could be measured (`ulimit -n` must exceed N in
both processes).
"""

from __future__ import annotations

import argparse
import json
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

BAR = 3 * 1024
SERVER = """
import resource, sys
from headrace.http import Server
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
server = Server(idle_timeout_s=3600, max_connections=int(sys.argv[1]) + 10, backlog=4096)
server.route("GET", "/", native="hello")
with server:
    print(server.port, flush=True)
    sys.stdin.read()
"""
REQUEST = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"


def pss(pid: int) -> int:
    """Bytes of the process's memory, shared pages by their share."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this kernel does not tell PSS")


def connect(port: int) -> socket.socket:
    """A connection that has had its answer."""
    peer = socket.create_connection(("127.0.0.1", port), timeout=10)
    peer.sendall(REQUEST)
    got = b""
    while not got.endswith(b"Hello, World!"):
        piece = peer.recv(4096)
        if not piece:
            raise RuntimeError("the server closed a connection")
        got += piece
    return peer


def measure(connections: int, idle: float) -> dict[str, float]:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < connections + 100:
        raise RuntimeError(f"needs {connections + 100} open files, and the hard limit (ulimit -Hn) is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    command = [sys.executable, "-c", SERVER, str(connections)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            connect(port).close()  # what the first connection alone brings is not theirs
            time.sleep(1.0)
            before = pss(server.pid)
            peers = [connect(port) for _ in range(connections)]
            time.sleep(idle)
            after = pss(server.pid)
            for peer in peers:
                peer.close()
        finally:
            server.terminate()
    return {
        "connections": connections,
        "idle_s": idle,
        "pss_before": before,
        "pss_after": after,
        "bytes_each": (after - before) / connections,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--idle", type=float, default=60.0, help="seconds")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    try:
        found = measure(args.connections, args.idle)
    except (OSError, RuntimeError, ValueError) as error:
        print(f"idle_bench: {error}", file=sys.stderr)
        return 2
    reached = found["bytes_each"] <= BAR
    if args.json:
        print(json.dumps(found))
    else:
        print(f"{args.connections} connections, idle for {args.idle:g} s: {found['bytes_each']:,.0f} bytes each")
        print(f"  <= {BAR} bytes: {'reached' if reached else 'MISSED'}")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
