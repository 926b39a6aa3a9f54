"""granian, one worker; where the task runs: see asgi_app."""

from __future__ import annotations

import json
import os
from pathlib import Path

from granian import Granian
from granian.constants import Interfaces

from headrace.experiment.http import tasks

HERE = Path(__file__).parent


def main() -> None:
    options = tasks.arguments(__doc__ or "")
    os.environ["HEADRACE_ASGI_APP"] = json.dumps(vars(options))
    Granian(
        "asgi_app:app",
        address="127.0.0.1",
        port=options.port,
        interface=Interfaces.ASGI,
        backlog=max(options.backlog, 128),
        working_dir=HERE,
        log_access=False,
        log_enabled=False,
    ).serve()


if __name__ == "__main__":
    main()
