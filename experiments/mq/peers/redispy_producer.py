"""The redis-py producer: one pipeline of `--window` XADD commands at a time, and one CSV row per message.

Standard output: ``id,sent,acked`` in epoch seconds, one row per acknowledged message.
Standard error: one JSON line with messages, seconds (first send to last acknowledgement), rate, cpu_s (of
this process, start-up included), p50_us and p99_us (acked - sent).
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import string
import sys
import time
from typing import Any

import redis

TEXT = " all warfare is won by the side that knows its own numbers"


def parse_args() -> argparse.Namespace:
    """Read the same flags as the C producer takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=6379)
    parser.add_argument("--topic", default="bench")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--size", type=int, default=149)
    parser.add_argument("--window", type=int, default=64)
    return parser.parse_args()


def produce(args: argparse.Namespace) -> list[tuple[float, float, int]]:
    """Send everything; return (sent, acked, messages) of each pipeline."""
    client: Any = redis.Redis(host=args.host, port=args.port)
    client.ping()
    instance = "".join(random.choices(string.digits + string.ascii_lowercase, k=12))
    filler = (TEXT * (args.size // len(TEXT) + 1))[: args.size - 26]
    topic = args.topic
    write = sys.stdout.write
    batches = []
    pipe = client.pipeline(transaction=False)
    for first in range(0, args.count, args.window):
        ids = [f"{instance}-00-{n:010d}" for n in range(first, min(first + args.window, args.count))]
        for id_ in ids:
            pipe.execute_command("XADD", topic, "*", "id", id_, "m", id_ + filler)
        sent = time.time()
        pipe.execute()
        acked = time.time()
        tail = f",{sent:.6f},{acked:.6f}\n"
        write(tail.join(ids) + tail)
        batches.append((sent, acked, len(ids)))
    sys.stdout.flush()
    return batches


def percentile(batches: list[tuple[float, float, int]], share: float) -> float:
    """Latency in microseconds below which `share` of the messages lie."""
    latencies = sorted((acked - sent, n) for sent, acked, n in batches)
    left = share * sum(n for _, n in latencies)
    for latency, n in latencies:
        left -= n
        if left <= 0:
            return latency * 1e6
    return latencies[-1][0] * 1e6


def main() -> None:
    """Produce, then say in one line how it went."""
    args = parse_args()
    batches = produce(args)
    seconds = batches[-1][1] - batches[0][0]
    usage = resource.getrusage(resource.RUSAGE_SELF)
    summary = {
        "messages": args.count,
        "seconds": seconds,
        "rate": args.count / seconds,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "p50_us": percentile(batches, 0.50),
        "p99_us": percentile(batches, 0.99),
    }
    print(json.dumps(summary), file=sys.stderr)


if __name__ == "__main__":
    main()
