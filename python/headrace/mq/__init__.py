"""Message queues: the data processor of the experiment."""

from __future__ import annotations

from headrace.mq.process import ProcessResult, process

__all__ = ["ProcessResult", "process"]
