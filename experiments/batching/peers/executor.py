"""concurrent.futures.ThreadPoolExecutor: threads that each submit an item and wait for its result.

    python experiments/batching/peers/executor.py --size 2 --threads 32 --items 50000

Prints its figures as a line of JSON.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor

from headrace.experiment.batching import loops


def identity(item: int) -> int:
    return item


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=2, help="threads of the executor")
    parser.add_argument("--threads", type=int, default=32, help="threads that wait for results")
    parser.add_argument("--items", type=int, default=50_000)
    options = parser.parse_args()
    with ThreadPoolExecutor(options.size) as executor:

        def call(item: int) -> int:
            return executor.submit(identity, item).result()

        loops.threaded(call, options.items // 10, options.threads)
        loops.say(loops.threaded(call, options.items, options.threads))
