"""Every column of the result files, with its unit. docs/results.md is this table; a test keeps the two equal.

Times in samples are monotonic nanoseconds since the machine started (runs) or nanoseconds since the epoch
(CSVs); the anchor of the run turns the first into the second. A time that never happened is null.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Column(NamedTuple):
    name: str
    type: str  #: Arrow type; ``name`` is text of which few different ones exist (a dictionary)
    unit: str  #: "" for what has none
    meaning: str


SAMPLES: Final = (
    Column("case", "name", "", "name of the case"),
    Column("repeat", "int32", "", "repetition of the case, from 1"),
    Column("kind", "name", "", "what the item is: message"),
    Column("id", "string", "", "the id of the item, as text"),
    Column("source", "name", "", "the producer's file"),
    Column("worker", "int32", "", "thread number within the producer program"),
    Column("recipient", "name", "", "the consumer's file; null when never received"),
    Column("attempt", "int32", "", "which receipt of the id: 1 the first, 2 a duplicate, ...; 0 never received"),
    Column("attempts", "int32", "", "how often the producer wrote it to a connection"),
    Column("size", "int64", "bytes", "payload"),
    Column("intended", "int64", "ns", "when the schedule wanted it sent; equals sent in a closed loop"),
    Column("sent", "int64", "ns", "handed to the connection for the first time"),
    Column("acked", "int64", "ns", "the broker's acknowledgement was read"),
    Column("received", "int64", "ns", "the broker's delivery was read by the consumer"),
    Column(
        "receive_acked",
        "int64",
        "ns",
        "the consumer's acknowledgement was confirmed, or written if no reply exists",
    ),
    Column("redelivered", "bool", "", "the broker or the session said that it was delivered before"),
    Column("error", "int32", "", "error code of the item, 0 when none"),
)

SERIES: Final = (
    Column("case", "string", "", "name of the case"),
    Column("repeat", "int32", "", "repetition of the case, from 1"),
    Column("second", "double", "s", "since the start of the case; the end of the interval of the row"),
    Column("offered", "double", "1/s", "messages that the schedule wanted sent; equals sent in a closed loop"),
    Column("sent", "double", "1/s", "messages handed to the connection"),
    Column("acked", "double", "1/s", "acknowledgements read by producers"),
    Column("received", "double", "1/s", "messages read by consumers"),
    Column("errors", "double", "1/s", "failed sends and receipts"),
    Column("backlog", "double", "messages", "acknowledged and not yet received, at the end of the interval"),
    Column("generator_cpu", "double", "cores", "CPU of all producers and consumers; 1 is one busy core"),
    Column("generator_rss", "double", "bytes", "resident memory of all producers and consumers"),
    Column("server_cpu", "double", "cores", "CPU of the server or broker"),
    Column("server_rss", "double", "bytes", "resident memory of the server or broker"),
)

#: The four durations of a message. The percentiles of each are columns of the summary.
DURATIONS: Final = {
    "processing_latency": ("sent", "received", "processing latency: sent to first received"),
    "send_time": (
        "sent",
        "acked",
        "send time, which is the service time of the broker: sent to acknowledged",
    ),
    "response_time": ("intended", "acked", "response time: intended to acknowledged"),
    "end_to_end": ("intended", "received", "end to end: intended to first received"),
}
PERCENTILES: Final = {
    "p50": 50.0,
    "p75": 75.0,
    "p90": 90.0,
    "p95": 95.0,
    "p99": 99.0,
    "p99.9": 99.9,
    "p99.99": 99.99,
}
STATISTICS: Final = {
    "min": "smallest",
    "max": "largest",
    "avg": "mean",
    "stddev": "sample standard deviation",
}
_SIXTEEN: Final = (
    ("processing_latency", "ms", "processing latency"),
    ("send_time", "ms", "send time"),
    ("processing_throughput", "1/s", "processing throughput: first receipts per second"),
    ("send_throughput", "1/s", "send throughput: messages sent per second"),
)


def _summary() -> tuple[Column, ...]:
    columns = [
        Column("case", "string", "", "name of the case"),
        Column("repeat", "int32", "", "repetition of the case, from 1"),
    ]
    columns += [
        Column(f"{name}_{key}", "double", unit, f"{word} of {text}")
        for name, unit, text in _SIXTEEN
        for key, word in STATISTICS.items()
    ]
    columns += [
        Column(f"{name}_{key}", "double", "ms", f"{key} of {text}")
        for name, (_, _, text) in DURATIONS.items()
        for key in (*PERCENTILES, "max")
        if not (key == "max" and name in ("processing_latency", "send_time"))
    ]
    columns += [
        Column("sent", "int64", "ids", "ids sent"),
        Column("acked", "int64", "ids", "ids acknowledged by the broker"),
        Column("unacked", "int64", "ids", "ids sent whose acknowledgement was never seen"),
        Column("received", "int64", "ids", "ids received at least once"),
        Column("duplicated", "int64", "receipts", "receipts beyond the first of an id"),
        Column("redelivered", "int64", "receipts", "receipts flagged as delivered before"),
        Column("lost", "int64", "ids", "ids acknowledged and never received"),
        Column("orphaned", "int64", "ids", "ids received and never sent"),
        Column("shared", "int64", "ids", "ids sent by more than one producer"),
        Column("reordered", "int64", "ids", "first receipts that overtook an earlier message of the same thread"),
        Column("negative_latency", "int64", "ids", "ids received before they were sent"),
        Column("negative_send_time", "int64", "ids", "ids acknowledged before they were sent"),
        Column("unreadable", "int64", "rows", "rows that could not be read"),
        Column("torn", "int64", "rows", "last rows that were cut short"),
        Column("retries", "int64", "sends", "sends beyond the first of an id"),
        Column("duration_s", "double", "s", "first send to the last acknowledgement or receipt"),
        Column(
            "offered_rate",
            "double",
            "1/s",
            "ids sent over the scheduled time plus the lateness at its end, summed over threads",
        ),
        Column("acked_rate", "double", "1/s", "ids acknowledged, from the first send to the last acknowledgement"),
        Column("received_rate", "double", "1/s", "ids received, from the first to the last first receipt"),
        Column("asked_rate", "double", "1/s", "open loop: the rate that was asked for"),
        Column("window", "int64", "messages", "unacknowledged messages allowed, all producers together"),
        Column("bound", "double", "1/s", "what acked_rate may not exceed: window / mean send time (Little's law)"),
        Column("verdict", "string", "", "valid, generator-limited, invalid or failed"),
        Column("expect", "string", "", "the verdict that the case was made for; null: valid"),
        Column("reasons", "string", "", "why, as sentences separated by semicolons"),
    ]
    return tuple(columns)


SUMMARY: Final = _summary()

#: The first columns of every summary.
KEYS: Final = SUMMARY[:2]


def spread(name: str, text: str) -> tuple[Column, ...]:
    """Columns of a duration that a histogram counted, ms: percentiles, largest and mean."""
    words = {**{key: key for key in PERCENTILES}, "max": "largest", "avg": "mean"}
    return tuple(Column(f"{name}_{key}", "double", "ms", f"{word} of {text}") for key, word in words.items())


#: The last columns of the summary of a part that counts items: they lead from rates to the verdict.
JUDGEMENT: Final = (
    Column("duration_s", "double", "s", "first start to last completion"),
    Column("asked_rate", "double", "1/s", "open loop: the rate that was asked for"),
    Column("offered_rate", "double", "1/s", "open loop: items started over the time that starting them took"),
    Column("rate", "double", "1/s", "items completed, over the duration"),
    Column("bound", "double", "1/s", "what rate may not exceed"),
    Column("bound_by", "string", "", "what sets the bound"),
    *(c for c in SUMMARY if c.name in ("verdict", "expect", "reasons")),
)


def seed_metrics() -> list[str]:
    """The names of the sixteen metrics of the seed's experiment, in its order."""
    return [f"{name}_{key}" for name, _, _ in _SIXTEEN for key in STATISTICS]
