"""The settings of a case of the http part: which keys there are, what they mean, what they may be."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from headrace.errors import InvalidArgument
from headrace.experiment.checks import Check, choice, nonempty, number, whole
from headrace.experiment.http.server import OURS
from headrace.experiment.http.tasks import KINDS, SLEEPS_S

#: executor -> how many tasks of any kind it can run at a time, in words; "workers" is a key.
EXECUTORS: Final = {
    "sync": "one at a time, the whole server",
    "inline": "one at a time, in the thread that reads and writes",
    "thread": "as many as there are workers",
    "process": "as many as there are workers",
    "asyncio": "as many as there are users, where the task awaits; otherwise one",
    "native": "as many as there are users, without Python",
}


def _whether(value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidArgument(f"must be true or false, not {value!r}")
    return value


#: key -> its check. The defaults and the meanings are those of ``HttpCase``.
KEYS: dict[str, Check] = {
    "server": nonempty,
    "executor": choice(*EXECUTORS),
    "task": choice(*KINDS),
    "awaited": _whether,
    "workers": whole(1, 1000),
    "users": whole(1, 20_000),
    "seconds": number(0, above=True),
    "warm_up_s": number(0),
    "keep_alive": _whether,
    "backlog": whole(1, 65_535),
    "request_timeout_s": number(0, above=True),
    "drain_s": number(0),
    "least_share": number(0),
    "timeout": number(0, above=True),
}


@dataclass(frozen=True)
class HttpCase:
    """One case with every sweep resolved. Durations are seconds."""

    server: str = OURS  #: ours, or a Python program with the options of ``http.tasks.arguments``, from where one stands
    executor: str = "thread"  #: where the task runs
    task: str = "sleep"
    awaited: bool = True  #: False: the server replies when the task is queued, which is the seed's mistake
    workers: int = 4  #: of the executor "thread" or "process"
    users: int = 25  #: who each wait for the reply before they ask again
    seconds: float = 4.0  #: that are measured
    warm_up_s: float = 2.0
    keep_alive: bool = False  #: False: a new connection per request, as siege makes it
    backlog: int = 1024  #: connections that the kernel holds for the server
    request_timeout_s: float = 30.0
    drain_s: float = 10.0  #: how long what is in flight at the end is waited for
    least_share: float = 0.0  #: of its bound that the rate must reach, or the case has failed
    timeout: float = 180.0  #: of the whole case; then it has failed

    def __post_init__(self) -> None:
        if self.executor == "native" and self.task not in SLEEPS_S:
            raise InvalidArgument(f"executor native has no task {self.task!r}, only those that sleep")
        if not self.awaited and self.executor != "process":
            raise InvalidArgument("awaited = false goes with executor process")

    @property
    def total(self) -> int:
        """Nobody knows beforehand."""
        return 0

    @property
    def asked_rate(self) -> None:
        """Users wait for replies; there is no schedule."""
        return None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def describe(self) -> str:
        queued = "" if self.awaited else ", not awaited"
        return f"{self.users} users, task {self.task} on {self.server}'s executor {self.executor}{queued}"
