"""What producers and consumers share, for threads and for asyncio: checks, batches, how they end."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from types import TracebackType
from typing import ClassVar, Final, Protocol, Self, overload

from headrace import _core
from headrace._waiting import Condition
from headrace.errors import ConnectionFailed, InvalidArgument

Message = _core.mq.Message

# The native side gives up by itself after its timeout and knows why; this is for an attempt that still hangs then.
CONNECT_MARGIN: Final = 6.0


def check_counts(**counts: int) -> None:
    """Raises InvalidArgument for a negative one."""
    for name, value in counts.items():
        if value < 0:
            raise InvalidArgument(f"{name} must not be negative, got {value}")


def waits_when_full(on_full: str) -> bool:
    """Whether "wait", and not "reject", was asked for. Raises InvalidArgument for anything else."""
    if on_full not in ("wait", "reject"):
        raise InvalidArgument(f"on_full must be 'wait' or 'reject', not {on_full!r}")
    return on_full == "wait"


def not_connected(url: str, timeout: float) -> ConnectionFailed:
    return ConnectionFailed(f"no connection to {url} within {timeout:g} s")


class Messages(Sequence[Message]):
    """Messages that were received together."""

    _name: ClassVar[str]

    def __init__(self, messages: list[Message]) -> None:
        self._messages = messages

    @overload
    def __getitem__(self, index: int) -> Message: ...
    @overload
    def __getitem__(self, index: slice) -> list[Message]: ...
    def __getitem__(self, index: int | slice) -> Message | list[Message]:
        return self._messages[index]

    def __len__(self) -> int:
        return len(self._messages)

    def __repr__(self) -> str:
        return f"<{self._name} of {len(self)} messages>"


class Native(Protocol):
    """What `_core.mq.Producer` and `_core.mq.Consumer` have in common."""

    @property
    def closed(self) -> bool: ...
    def close(self) -> None: ...
    def check(self) -> None: ...
    def wait_open(self, timeout: float) -> bool: ...
    def stats(self) -> dict[str, int]: ...


class Client(abc.ABC):
    """For threads: connected when made, and ended by `close` or the context manager."""

    _native: Native

    def _connect(self, url: str, timeout: float) -> None:
        if not self._native.wait_open(timeout + CONNECT_MARGIN):
            self._native.close()
            raise not_connected(url, timeout)

    @abc.abstractmethod
    def flush(self, timeout: float = 30.0) -> None:
        """Wait until everything is confirmed."""

    def close(self, timeout: float = 30.0) -> None:
        """`flush`, then disconnect. What a consumer left unacknowledged goes to another. May be called again."""
        if self._native.closed:
            return
        try:
            self.flush(timeout)
        finally:
            self._native.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self._native.close()


class AsyncClient(abc.ABC):
    """For asyncio: connected by `open` or the context manager, and ended by `close` or the context manager."""

    _native: Native
    _opened: Condition
    _url: str
    _connect_timeout: float

    async def open(self) -> Self:
        """Wait until connected. Raises ConnectionFailed, AuthenticationFailed."""
        try:
            if not await self._opened.wait(self._connect_timeout + CONNECT_MARGIN):
                raise not_connected(self._url, self._connect_timeout)
            self._native.check()
        except BaseException:
            self._native.close()
            raise
        return self

    @abc.abstractmethod
    async def flush(self, timeout: float = 30.0) -> None:
        """Wait until everything is confirmed."""

    async def close(self, timeout: float = 30.0) -> None:
        """`flush`, then disconnect. What a consumer left unacknowledged goes to another. May be called again."""
        if self.closed:
            return
        try:
            await self.flush(timeout)
        finally:
            self._native.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._native.closed

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self.close()
        else:
            self._native.close()
