"""Message queues: producers and consumers for every broker, and the programs that measure them.

- `Producer`, `Consumer`: send and receive at least once, from any number of threads.
- `produce`, `consume`, `process`: the experiment's three programs as functions.
- `aio.Producer`, `aio.Consumer`: the same for coroutines.
- `ProduceProgram`, `ConsumeProgram`: the first two as objects, for whoever starts several at one moment.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from headrace.mq.consumer import Batch, Consumer, Message
from headrace.mq.process import ProcessResult, process
from headrace.mq.producer import Ack, Producer
from headrace.mq.programs import ConsumeProgram, ProduceProgram
from headrace.mq.run import ProgramResult, consume, produce

__all__ = [
    "Ack",
    "Batch",
    "ConsumeProgram",
    "Consumer",
    "Message",
    "ProcessResult",
    "ProduceProgram",
    "Producer",
    "ProgramResult",
    "aio",
    "consume",
    "process",
    "produce",
]

if TYPE_CHECKING:
    from headrace.mq import aio


def __getattr__(name: str) -> Any:
    if name == "aio":  # threads do not pay for asyncio
        return importlib.import_module("headrace.mq.aio")
    raise AttributeError(f"module 'headrace.mq' has no attribute {name!r}")
