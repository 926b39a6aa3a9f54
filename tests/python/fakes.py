"""ProduceProgram and ConsumeProgram over a queue made of two files, for tests of the runner without a broker.

``payload`` chooses what goes wrong: "refuse" (no connection), "crash" (half way), "lose" (the third message
is acknowledged and never queued), "twice" (every message is queued twice), "slow" (10 ms a message), "deaf"
(stop() is ignored), "full" (close() fails). Rows are written as CSV beside where segments would be.
"""

from __future__ import annotations

import fcntl
import os
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

from headrace.errors import ConnectionFailed, IoError


class _Queue:
    """Lines in a file; a second file holds how many the group has taken."""

    def __init__(self, url: str, topic: str) -> None:
        folder = Path(url.removeprefix("inproc://"))
        folder.mkdir(parents=True, exist_ok=True)
        self._lines, self._taken = folder / f"{topic}.lines", folder / f"{topic}.taken"
        self._lines.touch()
        self._taken.touch()

    def put(self, id: str) -> None:
        with self._lines.open("a") as lines:
            fcntl.flock(lines, fcntl.LOCK_EX)
            lines.write(id + "\n")

    def take(self) -> str | None:
        with self._taken.open("r+") as taken:
            fcntl.flock(taken, fcntl.LOCK_EX)
            position = int(taken.read() or 0)
            with self._lines.open() as lines:
                lines.seek(position)
                line = lines.readline()
            if not line.endswith("\n"):
                return None
            taken.seek(0)
            taken.write(str(position + len(line)))
            return line.strip()


class _Program:
    def __init__(self, *, url: str, topic: str, segment: str, anchor: tuple[int, int], **args: Any) -> None:
        self._url, self._topic, self._anchor, self._args = url, topic, anchor, args
        self._path = Path(f"{segment}.csv")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._main, daemon=True)
        self._at_ns = 0
        self._counters: dict[str, int] = {}

    def connect(self) -> None:
        if self._args.get("payload") == "refuse":
            raise ConnectionFailed(f"cannot reach {self._url}: connection refused")
        self._queue = _Queue(self._url, self._topic)

    def start(self, at_ns: int = 0) -> None:
        self._at_ns = at_ns
        self._thread.start()

    def wait(self, timeout: float) -> bool:
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def stop(self) -> None:
        if self._args.get("payload") != "deaf":
            self._stop.set()

    def stats(self) -> dict[str, Any]:
        return {**self._counters, "window_full_ns": 0, "first_ns": 1, "last_ns": 2}

    def close(self) -> None:
        if self._args.get("payload") == "full":
            raise IoError(f"cannot write {self._path}: No space left on device")

    def _stamp(self) -> str:
        epoch = time.monotonic_ns() - self._anchor[0] + self._anchor[1]
        return f"{epoch // 10**9}.{epoch % 10**9:09d}"

    def _main(self) -> None:
        time.sleep(max(0.0, self._at_ns / 1e9 - time.monotonic()))
        with self._path.open("w", buffering=1) as rows:
            self._work(rows)

    def _work(self, rows: IO[str]) -> None:
        raise NotImplementedError


class ProduceProgram(_Program):
    def _work(self, rows: IO[str]) -> None:
        self._counters = {"sent": 0, "acked": 0, "failed": 0}
        fault = self._args["payload"]
        for number in range(self._args["count"]):
            if self._stop.is_set():
                return
            if fault == "crash" and number == self._args["count"] // 2:
                print("the floor gave way", file=sys.stderr, flush=True)
                os._exit(3)
            if fault in ("slow", "deaf"):
                time.sleep(0.01)
            self._send(rows, f"{os.getpid()}-{id(self)}-{number}", fault, lost=fault == "lose" and number == 2)

    def _send(self, rows: IO[str], id: str, fault: str, *, lost: bool) -> None:
        sent = self._stamp()
        self._counters["sent"] += 1
        if not lost:
            self._queue.put(id)
        if fault == "twice":
            self._queue.put(id)
        rows.write(f"{id},{sent},{self._stamp()}\n")
        self._counters["acked"] += 1


class ConsumeProgram(_Program):
    def _work(self, rows: IO[str]) -> None:
        self._counters = {"received": 0, "receive_acked": 0, "redelivered": 0}
        while True:
            id = self._queue.take()
            if id is not None:
                rows.write(f"{id},{self._stamp()},{self._stamp()}\n")
                self._counters["received"] += 1
                self._counters["receive_acked"] += 1
            elif self._stop.wait(0.005):
                return
