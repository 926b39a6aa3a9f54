"""socketify with native callbacks, its faster way: hello, echo and JSON on the given port."""

from __future__ import annotations

import json
import sys
from typing import Any

from socketify import App


def hello(res: Any, req: Any) -> None:
    res.end("Hello, World!")


def main(port: int) -> None:
    app = App()
    app.get("/hello", hello)
    app.post("/echo", with_callback(lambda content: (content, None)))
    app.post("/json", with_callback(lambda content: (json.dumps(json.loads(content)), "application/json")))
    app.listen(port, lambda config: print("ready", flush=True))
    app.run()


def with_callback(make: Any) -> Any:
    """Calls ``make`` with the whole content, without a coroutine per request."""

    def handler(res: Any, req: Any) -> None:
        pieces: list[bytes] = []

        def on_data(res: Any, chunk: bytes, is_end: bool, *rest: Any) -> None:
            if chunk:
                pieces.append(chunk)
            if is_end:
                content, kind = make(b"".join(pieces))
                if kind is not None:
                    res.write_header("Content-Type", kind)
                res.end(content)

        res.on_aborted(lambda res: None)
        res.on_data(on_data)

    return handler


if __name__ == "__main__":
    main(int(sys.argv[1]))
