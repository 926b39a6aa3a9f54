"""One producer thread to one consumer thread through the in-process queue: what the harness itself costs.

python experiments/mq/inproc.py --count 4000000 --size 149 --out DIR

Writes producer.csv (`id,sent,acked`) and consumer.csv (`id,received,acked`) into DIR.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from headrace import mq
from headrace.cli import guard


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=4_000_000, metavar="N", help="messages")
    parser.add_argument("--size", type=int, default=149, metavar="BYTES", help="size of a message")
    parser.add_argument("--window", type=int, default=1000, metavar="N", help="unacknowledged messages allowed")
    parser.add_argument("--batch", type=int, default=1000, metavar="N", help="messages per read")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the two CSVs")
    run(parser.parse_args())
    return 0


def run(args: argparse.Namespace) -> None:
    """Both programs at once, in this process."""
    job = {"url": "inproc://bench", "topic": "bench", "count": args.count}
    with open(args.out / "producer.csv", "wb") as sent, open(args.out / "consumer.csv", "wb") as received:
        producer = mq.ProduceProgram(**job, size=args.size, window=args.window, csv_fd=sent.fileno())
        consumer = mq.ConsumeProgram(**job, batch=args.batch, csv_fd=received.fileno())
        with consumer, producer:
            for program in (consumer, producer):
                program.connect()
            for program in (consumer, producer):
                program.start()
            for program in (producer, consumer):
                while not program.wait(3600):
                    pass


if __name__ == "__main__":
    sys.exit(guard(main))
