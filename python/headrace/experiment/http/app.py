"""Our server of one case: ``python -m headrace.experiment.http.app --port 8000 --executor thread --task sleep``."""

from __future__ import annotations

import signal
import sys
from argparse import Namespace

from headrace import http
from headrace.experiment.http import tasks


def native(options: Namespace) -> http.Server:
    """A route that sleeps as the tasks do, without Python and without a thread that waits."""
    server = http.Server(port=options.port, backlog=options.backlog)
    server.route("GET", "/later/{ms}", native="later")
    return server


def main() -> int:
    options = tasks.arguments(__doc__ or "")
    if options.executor != "native":
        print(f"executor {options.executor!r}: this headrace has none but native", file=sys.stderr)
        return 2
    with native(options):
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
    return 0


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})  # before there are threads
    sys.exit(main())
