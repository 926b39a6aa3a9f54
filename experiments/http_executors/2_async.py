"""The seed's second server: the task runs in the thread that reads and writes.

``python 2_async.py``, then ``python run_benchmark.py 127.0.0.1:8001``.
"""

from __future__ import annotations

from headrace import http
from headrace.experiment.http import tasks

app = http.App()


@app.route("/", executor="inline")
def background_task(request: http.Request) -> str:
    return tasks.run("sleep")


@app.route("/stats", executor="inline")
def stats(request: http.Request) -> dict[str, int]:
    counts = app.stats()["GET /"]
    return {"replied": counts.replied, "finished": counts.finished}


if __name__ == "__main__":
    app.serve(port=8001)
