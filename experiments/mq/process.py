"""The seed's data processor: marries what producers and consumers printed, writes latencies and throughput.

python experiments/mq/process.py --producers p*.csv --consumers c*.csv --out results/by-hand
"""

from __future__ import annotations

import argparse
import sys

from headrace import mq
from headrace.cli import guard


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--producers", nargs="+", required=True, metavar="CSV", help="what producers printed")
    parser.add_argument("--consumers", nargs="+", required=True, metavar="CSV", help="what consumers printed")
    parser.add_argument("--out", required=True, metavar="DIR", help="where to write the results")
    result = mq.process(**vars(parser.parse_args()))
    print(result.table())
    return result.exit_code


if __name__ == "__main__":
    sys.exit(guard(main))
