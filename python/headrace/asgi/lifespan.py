"""The lifespan protocol (asgiref, specs/lifespan.rst, version 2.0): once for each event loop."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from headrace.asgi.types import Application, Message
from headrace.errors import HeadraceError

logger = logging.getLogger("headrace.asgi")


class LifespanFailed(HeadraceError):
    """The application said ``lifespan.startup.failed`` or ``lifespan.shutdown.failed``, or raised while it started."""


class Lifespan:
    """Runs the application's lifespan in a task of the running loop.

    Args:
        mode: ``"auto"``: an exception before the start is complete means that the application has no lifespan;
            ``"on"``: it is an error; ``"off"``: the application is not asked.
    """

    def __init__(self, application: Application, mode: str = "auto") -> None:
        self._application = application
        self._mode = mode
        self.state: dict[str, Any] = {}
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._answers: asyncio.Queue[Message | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._error: Exception | None = None
        self.supported = False

    async def startup(self) -> None:
        """Returns when the application has started. Raises LifespanFailed."""
        if self._mode == "off":
            return
        self._task = asyncio.create_task(self._run(), name="asgi lifespan")
        self._events.put_nowait({"type": "lifespan.startup"})
        answer = await self._answers.get()
        if answer is None:
            if self._mode == "on":
                raise LifespanFailed(f"the application has no lifespan: {self._what_happened()}") from self._error
            logger.info("the application has no lifespan: %s", self._what_happened())
        elif answer["type"] == "lifespan.startup.failed":
            await self._task
            raise LifespanFailed(str(answer.get("message", "")) or "the application failed to start")
        else:
            self.supported = True

    async def shutdown(self) -> None:
        """Returns when the application has cleaned up. Raises LifespanFailed."""
        if not self.supported or self._task is None:
            return
        self.supported = False
        if self._task.done():
            raise LifespanFailed(f"the application's lifespan ended early: {self._what_happened()}") from self._error
        self._events.put_nowait({"type": "lifespan.shutdown"})
        answer = await self._answers.get()
        await self._task
        if answer is None:
            raise LifespanFailed(f"the application failed to shut down: {self._what_happened()}") from self._error
        if answer["type"] == "lifespan.shutdown.failed":
            raise LifespanFailed(str(answer.get("message", "")) or "the application failed to shut down")

    def _what_happened(self) -> str:
        return repr(self._error) if self._error is not None else "it returned"

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._application(scope, self._events.get, self._send)
        except Exception as error:
            self._error = error
        finally:
            self._answers.put_nowait(None)

    async def _send(self, message: Message) -> None:
        kinds = ("startup", "shutdown") if not self.supported else ("shutdown",)
        if message["type"] not in [f"lifespan.{k}.{end}" for k in kinds for end in ("complete", "failed")]:
            raise RuntimeError(f"unexpected ASGI message {message['type']!r} in a lifespan")
        self._answers.put_nowait(message)
