"""uvicorn with uvloop and httptools, one process; where the task runs: see asgi_app."""

from __future__ import annotations

import json
import os
from pathlib import Path

import uvicorn

from headrace.experiment.http import tasks


def main() -> None:
    options = tasks.arguments(__doc__ or "")
    os.environ["HEADRACE_ASGI_APP"] = json.dumps(vars(options))
    uvicorn.run(
        "asgi_app:app",
        app_dir=str(Path(__file__).parent),
        host="127.0.0.1",
        port=options.port,
        backlog=options.backlog,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
