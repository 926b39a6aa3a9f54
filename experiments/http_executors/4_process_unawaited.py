"""The seed's fourth server as it was published: the reply leaves when the task is queued. 591 requests/s, few tasks.

``python 4_process_unawaited.py``, then ``python run_benchmark.py 127.0.0.1:8003``, which compares replies with tasks
that have finished, and says INVALID.
"""

from __future__ import annotations

from headrace import http
from headrace.exec import ProcessExecutor
from headrace.experiment.http import tasks

app = http.App()
executor = ProcessExecutor(4, max_queue_size=10_000_000)  # the queue that grows without anybody noticing


@app.route("/", executor="inline")
def background_task(request: http.Request) -> str:
    executor.submit(tasks.run, "sleep")  # the future is neither awaited nor kept
    return tasks.REPLY


@app.route("/stats", executor="inline")
def stats(request: http.Request) -> dict[str, int]:
    return {"replied": app.stats()["GET /"].replied, "finished": executor.stats().answered}


if __name__ == "__main__":
    try:
        app.serve(port=8003)
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
