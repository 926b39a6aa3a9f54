"""Ray Serve's `@serve.batch`: 64 coroutines on one batched method, inside the replica that has it.

    pip install 'ray[serve]' && python experiments/batching/peers/ray_serve.py --items 20000

The callers run in the replica too, on its loop, so that only the batching is measured: a request from outside costs a
remote call on top. Starts a private Ray of two CPUs on this machine. Prints its figures as a line of JSON.
"""

from __future__ import annotations

import argparse
import json
import logging
from typing import Any

import ray
from ray import serve

from headrace.experiment.batching import loops


class Identity:
    """The replica."""

    def __init__(self) -> None:
        batch: Any = serve.batch(max_batch_size=100, batch_wait_timeout_s=0.0)
        self._call = batch(self._batched)

    async def _batched(self, items: list[int]) -> list[int]:
        return items

    async def drive(self, items: int, callers: int) -> dict[str, Any]:
        """Runs the loop here and gives its figures."""
        await loops.closed(self._call, items // 10, callers)
        return loops.figures(await loops.closed(self._call, items, callers))


def main(items: int, callers: int) -> dict[str, Any]:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        deployment: Any = serve.deployment(Identity)
        deployment = deployment.options(max_ongoing_requests=10)
        handle: Any = serve.run(deployment.bind(), route_prefix=None)
        figures: dict[str, Any] = handle.drive.remote(items, callers).result(timeout_s=60)
        serve.shutdown()
    finally:
        ray.shutdown()
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--callers", type=int, default=64)
    options = parser.parse_args()
    print(json.dumps(main(options.items, options.callers)))
