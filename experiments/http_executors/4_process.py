"""The seed's fourth server: the task runs in one of four processes, and the reply leaves when it has finished.

``python 4_process.py``, then ``python run_benchmark.py 127.0.0.1:8003``.
"""

from __future__ import annotations

from headrace import http
from headrace.experiment.http import tasks

app = http.App(process_workers=4)


@app.route("/", executor="process")
def background_task(request: http.Request) -> str:
    return tasks.run("sleep")


@app.route("/stats", executor="inline")
def stats(request: http.Request) -> dict[str, int]:
    counts = app.stats()["GET /"]
    return {"replied": counts.replied, "finished": counts.finished}


if __name__ == "__main__":
    app.serve(port=8003)
