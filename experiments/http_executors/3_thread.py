"""The seed's third server: the task runs in one of four threads.

``python 3_thread.py``, then ``python run_benchmark.py 127.0.0.1:8002``.
"""

from __future__ import annotations

from headrace import http
from headrace.experiment.http import tasks

app = http.App(thread_workers=4)


@app.route("/", executor="thread")
def background_task(request: http.Request) -> str:
    return tasks.run("sleep")


@app.route("/stats", executor="inline")
def stats(request: http.Request) -> dict[str, int]:
    counts = app.stats()["GET /"]
    return {"replied": counts.replied, "finished": counts.finished}


if __name__ == "__main__":
    app.serve(port=8002)
