"""The seed's consumer: receives and acknowledges messages, prints `id,received,acked` in epoch seconds.

python experiments/mq/consumer.py --url redis://127.0.0.1 --topic t --threads 1 --count 1000 > c.csv
"""

from __future__ import annotations

import argparse
import sys

from headrace import mq
from headrace.cli import guard


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="the broker, such as redis://127.0.0.1:6379")
    parser.add_argument("--topic", required=True, help="where to consume from")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="worker threads")
    parser.add_argument("--batch", type=int, default=0, metavar="N", help="messages per request; 0: batching off")
    parser.add_argument("--count", type=int, default=1000, metavar="N", help="messages of the whole program")
    parser.add_argument("--group", default="headrace", metavar="NAME", help="consumers of a group share the topic")
    parser.add_argument("--timeout", type=float, default=0.0, metavar="S", help="silence to give up after; 0: never")
    result = mq.consume(**vars(parser.parse_args()), csv=sys.stdout)
    print(result.summary(), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
