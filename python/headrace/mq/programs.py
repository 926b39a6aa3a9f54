"""The produce and the consume program as objects: connect, start, wait, stop, close.

Most callers want `headrace.mq.produce` and `headrace.mq.consume`, which do all of it. The experiment runner uses the
objects, because several programs must start at one moment.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from headrace import _core
from headrace.errors import ConnectionFailed
from headrace.mq._base import CONNECT_MARGIN


class _Program:
    """What both programs share. Use as a context manager: leaving closes, an exception stops first."""

    _native: _core.mq.Program

    def __init__(self, native: _core.mq.Program, url: str, timeout: float) -> None:
        self._native = native
        self._url = url
        self._timeout = timeout
        self._opened = False
        self._closed = False

    def connect(self) -> None:
        """Check every option, open the files and connect every thread.

        Raises InvalidArgument for an option outside its range, ConnectionFailed or AuthenticationFailed when the broker
        cannot be used within the timeout, IoError when a file cannot be made.
        """
        self._native.open()
        self._opened = True
        if not self._native.wait_connected(self._timeout + CONNECT_MARGIN):
            raise ConnectionFailed(f"no connection to {self._url} within {self._timeout:g} s")

    def start(self, at_ns: int = 0) -> None:
        """Begin on all threads at a monotonic time in ns; 0 or the past: now."""
        self._native.start(at_ns)

    def wait(self, timeout: float) -> bool:
        """True when every thread has finished; False after ``timeout`` seconds. Ctrl-C works."""
        return self._native.wait(timeout)

    def stop(self) -> None:
        """Begin nothing new. `wait` turns True within a second; rows written so far are whole."""
        self._native.stop()

    def stats(self) -> dict[str, int]:
        """Counters, at most 50 ms old. Times are ns; ``first_ns`` and ``last_ns`` are monotonic."""
        return self._native.stats()

    def histograms(self) -> dict[str, bytes]:
        """After the end: encoded `headrace.measure.Histogram` of service time, response time and lateness, in ns."""
        return self._native.histograms()

    def close(self) -> None:
        """Join the threads and close the files. Raises the first failure of the run, once."""
        if self._closed:
            return
        self._closed = True
        self._native.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
            return
        self._closed = True
        self._native.stop()
        try:
            self._native.close()
        except Exception as also:
            error.add_note(f"while closing: {also}")


class ProduceProgram(_Program):
    """Threads that send messages and record when each was meant to be sent, was sent and was acknowledged.

    Args:
        url: broker address; the scheme chooses the broker (redis, rediss, unix, inproc).
        topic: topic, queue or stream; any non-empty text.
        threads: workers, each with its own connection.
        size: payload bytes (ignored when ``payload`` is a file).
        batch: messages per broker request; 0 turns batching off.
        count: messages per thread.
        rate: messages per second of the whole program; 0 sends as fast as the window allows (closed loop).
        arrivals: "constant" or "poisson" gaps when ``rate`` is given.
        window: unacknowledged messages allowed per thread.
        payload: "random" (incompressible), "text", or the path of a file.
        instance: first part of the ids; random when empty.
        csv_fd: file descriptor for ``id,sent,acked`` rows; -1 for none.
        segment: path prefix of recorder segments; empty for none.
        detail: "full", "ledger" or "summary": what the segments hold per message.
        anchor: (monotonic ns, epoch ns) that ties times to the epoch; taken at `connect` when None.
        seed: of random payloads and Poisson arrivals.
        timeout: seconds to connect, and to wait for a lost broker before giving up.
    """

    def __init__(
        self,
        *,
        url: str,
        topic: str,
        threads: int = 1,
        size: int = 1000,
        batch: int = 0,
        count: int = 1000,
        rate: float = 0.0,
        arrivals: str = "constant",
        window: int = 1000,
        payload: str = "random",
        instance: str = "",
        csv_fd: int = -1,
        segment: str = "",
        detail: str = "full",
        anchor: tuple[int, int] | None = None,
        seed: int = 0,
        timeout: float = 30.0,
    ) -> None:
        options: dict[str, Any] = {
            "url": url,
            "topic": topic,
            "threads": threads,
            "size": size,
            "batch": batch,
            "count": count,
            "rate": rate,
            "arrivals": arrivals,
            "window": window,
            "payload": payload,
            "instance": instance,
            "csv_fd": csv_fd,
            "segment": segment,
            "detail": detail,
            "anchor": anchor or (0, 0),
            "seed": seed,
            "give_up_after": timeout,
        }
        super().__init__(_core.mq.ProduceProgram(options), url, timeout)


class ConsumeProgram(_Program):
    """Threads of one consumer group that receive and acknowledge, and record when each happened.

    Args:
        url, topic, threads, csv_fd, segment, detail, anchor: as for `ProduceProgram`.
        batch: messages per broker request, and per acknowledgement; 0 turns batching off.
        count: distinct messages for the whole program; 0 runs until stopped.
        group: consumers of one group share the messages.
        timeout: finish after this many seconds without a message; 0 never. With ``count`` unmet that is an error.
        claim_idle: seconds after which messages that another consumer left unacknowledged are taken over.
        broker_timeout: seconds to connect, and to wait for a lost broker before giving up.
    """

    def __init__(
        self,
        *,
        url: str,
        topic: str,
        threads: int = 1,
        batch: int = 0,
        count: int = 0,
        group: str = "headrace",
        timeout: float = 0.0,
        claim_idle: float = 30.0,
        csv_fd: int = -1,
        segment: str = "",
        detail: str = "full",
        anchor: tuple[int, int] | None = None,
        broker_timeout: float = 30.0,
    ) -> None:
        options: dict[str, Any] = {
            "url": url,
            "topic": topic,
            "threads": threads,
            "batch": batch,
            "count": count,
            "group": group,
            "timeout": timeout,
            "claim_idle": claim_idle,
            "csv_fd": csv_fd,
            "segment": segment,
            "detail": detail,
            "anchor": anchor or (0, 0),
            "give_up_after": broker_timeout,
        }
        super().__init__(_core.mq.ConsumeProgram(options), url, broker_timeout)
