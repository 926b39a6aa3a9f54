"""The seed's producer: sends messages at least once, prints `id,sent,acked` in epoch seconds for each.

python experiments/mq/producer.py --url redis://127.0.0.1 --topic t --size 1000 --count 1000 > p.csv
"""

from __future__ import annotations

import argparse
import sys

from headrace import mq
from headrace.cli import guard


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="the broker, such as redis://127.0.0.1:6379")
    parser.add_argument("--topic", required=True, help="where to publish")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="worker threads")
    parser.add_argument("--size", type=int, default=1000, metavar="BYTES", help="size of a message")
    parser.add_argument("--batch", type=int, default=0, metavar="N", help="messages per request; 0: batching off")
    parser.add_argument("--count", type=int, default=1000, metavar="N", help="messages of each thread")
    parser.add_argument("--rate", type=float, default=0.0, metavar="R", help="messages/s; 0: as fast as acks allow")
    parser.add_argument("--window", type=int, default=1000, metavar="N", help="unacknowledged messages allowed")
    parser.add_argument("--payload", default="random", metavar="FILE|random|text", help="what messages consist of")
    result = mq.produce(**vars(parser.parse_args()), csv=sys.stdout)
    print(result.summary(), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
