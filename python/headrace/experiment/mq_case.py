"""The settings of a message-queue case: which keys there are, what they mean, what they may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from headrace.errors import InvalidArgument
from headrace.experiment.checks import Check, choice, nonempty, number, whole


def _server_settings(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidArgument(f"must be a table such as {{ appendfsync = 'always' }}, not {value!r}")
    for name, setting in value.items():
        for single in setting if isinstance(setting, list) else [setting]:
            if not isinstance(single, str | int | bool):
                raise InvalidArgument(f"{name} must be a text, a whole number or true/false, not {single!r}")
    return dict(value)


#: What a URL may begin with; the native side says more when it opens one.
_SCHEMES = ("inproc", "redis", "rediss", "unix")


def _broker_url(value: Any) -> str:
    scheme, colon, rest = nonempty(value).partition("://")
    if not colon or not rest:
        raise InvalidArgument(f"must be a URL such as redis://127.0.0.1:6379, not {value!r}")
    if scheme not in _SCHEMES:
        raise InvalidArgument(f"has the unknown scheme {scheme!r}; known: {', '.join(_SCHEMES)}")
    return str(value)


#: key -> its check. The defaults and the meanings are those of ``MqCase``.
KEYS: dict[str, Check] = {
    "url": _broker_url,
    "redis": _server_settings,
    "topic": nonempty,
    "producers": whole(1, 10_000),
    "threads": whole(1, 1024),
    "consumers": whole(1, 10_000),
    "consumer_threads": whole(1, 1024),
    "count": whole(1),
    "size": whole(1, 512 * 1024 * 1024),
    "batch": whole(0),
    "consumer_batch": whole(0),
    "rate": number(0),
    "arrivals": choice("constant", "poisson"),
    "window": whole(1),
    "payload": nonempty,
    "warmup": number(0),
    "timeout": number(0, above=True),
    "claim_idle": number(0, above=True),
    "detail": choice("full", "ledger"),
}


@dataclass(frozen=True)
class MqCase:
    """One case with every sweep resolved. Counts are messages, sizes bytes, durations seconds."""

    url: str = ""  #: the broker; empty: a private redis-server, fresh for this case
    redis: dict[str, Any] = field(default_factory=dict)  #: settings of the private redis-server
    topic: str = "headrace"  #: the beginning of the topic's name; each case adds a random part
    producers: int = 1  #: producer processes
    threads: int = 1  #: threads of each producer process, each with a connection of its own
    consumers: int = 1  #: consumer processes, all in one group
    consumer_threads: int = 1
    count: int = 1000  #: messages of each producer thread
    size: int = 1000
    batch: int = 0  #: messages per request to the broker; 0: batching off
    consumer_batch: int = -1  #: the same for consumers; -1: as ``batch``
    rate: float = 0.0  #: messages/s of all producers together, from a fixed schedule; 0: as fast as acks allow
    arrivals: str = "constant"  #: spacing of that schedule, or "poisson"
    window: int = 1000  #: unacknowledged messages allowed to each producer thread
    payload: str = "random"  #: "random", "text", or a file
    warmup: float = 0.0  #: the first seconds: kept in the samples, left out of the summary's figures
    timeout: float = 120.0  #: of the whole case; then it has failed
    claim_idle: float = 30.0  #: after this silence a consumer takes over what another left unacknowledged
    detail: str = "full"  #: recorded of each message: "full", or "ledger", only what proves that nothing was lost

    def __post_init__(self) -> None:
        if self.consumer_batch < 0:
            object.__setattr__(self, "consumer_batch", self.batch)
        if self.url and self.redis:
            raise InvalidArgument("settings under 'redis' are for the private server; leave out url, or redis")
        if self.batch > self.window:
            raise InvalidArgument(f"batch ({self.batch}) does not fit into window ({self.window})")

    @property
    def total(self) -> int:
        """Messages that all producers send."""
        return self.producers * self.threads * self.count

    @property
    def in_process(self) -> bool:
        """Whether producers and consumers must share one process to meet."""
        return self.url.startswith("inproc:")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def describe(self) -> str:
        return f"{self.total:,} messages of {self.size:,} B from {self.producers} to {self.consumers}"
