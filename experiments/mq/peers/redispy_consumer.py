"""The redis-py consumer: XREADGROUP COUNT `--read`, one XACK per answer, one CSV row per message.

Standard output: ``id,received,acked`` in epoch seconds, one row per acknowledged message.
Standard error: one JSON line with messages, seconds (first receipt to last acknowledgement), rate, and cpu_s
(of this process, start-up included).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import sys
import time
from typing import Any

import redis


def parse_args() -> argparse.Namespace:
    """Read the same flags as the C consumer takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=6379)
    parser.add_argument("--topic", default="bench")
    parser.add_argument("--group", default="bench")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--read", type=int, default=100)
    return parser.parse_args()


class Consumption:
    """Receives and acknowledges `count` messages; an XACK shares a round trip with the next read."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.client: Any = redis.Redis(host=args.host, port=args.port)
        with contextlib.suppress(redis.ResponseError):
            self.client.xgroup_create(args.topic, args.group, id="0", mkstream=True)
        self.pipe = self.client.pipeline(transaction=False)
        self.begin = self.end = 0.0

    def run(self) -> None:
        """Read, then acknowledge and read in one round trip each, then acknowledge the last batch."""
        left = self.args.count
        entries = self.exchange([], read=True)
        while entries or left:
            left -= len(entries)
            entries = self.exchange(entries, read=left > 0)
        sys.stdout.flush()

    def exchange(self, entries: list[Any], read: bool) -> list[Any]:
        """Acknowledge `entries`, write their rows, and return the next ones (none after a silent second)."""
        args = self.args
        received = self.end
        if entries:
            self.pipe.xack(args.topic, args.group, *[entry for entry, _ in entries])
        if read:
            self.pipe.xreadgroup(args.group, "k3x9q2m7ab1c", {args.topic: ">"}, count=args.read, block=1000)
        answers = self.pipe.execute()
        self.end = time.time()
        if entries:
            self.begin = self.begin or received
            tail = f",{received:.6f},{self.end:.6f}\n"
            sys.stdout.write(tail.join([fields[b"id"].decode() for _, fields in entries]) + tail)
        return answers[-1][0][1] if read and answers[-1] else []


def main() -> None:
    """Consume, then say in one line how it went."""
    args = parse_args()
    consumption = Consumption(args)
    consumption.run()
    seconds = consumption.end - consumption.begin
    usage = resource.getrusage(resource.RUSAGE_SELF)
    summary = {
        "messages": args.count,
        "seconds": seconds,
        "rate": args.count / seconds,
        "cpu_s": usage.ru_utime + usage.ru_stime,
    }
    print(json.dumps(summary), file=sys.stderr)


if __name__ == "__main__":
    main()
