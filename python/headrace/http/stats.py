"""What routes count."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RouteStats"]


@dataclass(frozen=True)
class RouteStats:
    """Of one route since its app was made; `waiting` and `running` are of now.

    A request ends as one of `replied`, `refused`, `timed_out`, `cancelled` and `lost`. `finished` counts runs of the
    handler: a route whose `finished` stays behind its `replied` answers what it has not done.
    """

    requests: int
    replied: int  # answers of the handler, also of one that raised
    finished: int  # runs of the handler that ended, also those whose answer nobody wanted any more
    failed: int  # runs that raised, detached ones too
    refused: int  # 503: full, or shut down
    timed_out: int  # 504
    cancelled: int  # the client left first
    lost: int  # 502: their worker process ended
    detached: int  # work accepted to be done after its answer
    detached_finished: int
    waiting: int
    running: int
