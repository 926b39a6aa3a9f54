"""Puts a server under siege as the seed did: 25 users, a new connection for each request, siege's block of figures.

    python run_benchmark.py 127.0.0.1:8000 [--seconds 60] [--users 25]

Afterwards it asks the server's /stats, where there is one, how many tasks had finished: fewer than there were replies,
and the figures are INVALID (exit status 3). It needs neither siege nor our server.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.request

from headrace import load
from headrace.errors import HeadraceError

INVALID = 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", metavar="HOST:PORT")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--users", type=int, default=25)
    options = parser.parse_args()
    url = f"http://{options.address}"
    try:
        result = load.http(f"{url}/", users=options.users, duration_s=options.seconds, keep_alive=False, live=None)
    except HeadraceError as error:
        print(f"run_benchmark: {error}", file=sys.stderr)
        return 1
    print(result.summary())
    counted = stats(url)
    if counted is None:
        print("Tasks: not known, the server has no /stats")
        return result.exit_code
    replied, finished = counted["replied"], counted["finished"]
    print(f"Tasks: {replied} replies, {finished} tasks finished")
    if finished < replied:
        print(f"INVALID: {replied - finished} replies came before their task had finished")
        return INVALID
    return result.exit_code


def stats(url: str) -> dict[str, int] | None:
    try:
        with urllib.request.urlopen(f"{url}/stats", timeout=30) as answer:
            found: dict[str, int] = json.loads(answer.read())
            return found
    except (OSError, ValueError):
        return None


if __name__ == "__main__":
    sys.exit(main())
