"""A FastAPI application that takes uploads, served from a process of its own."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

import fastapi
from starlette.requests import Request

app = fastapi.FastAPI()


@app.post("/file")
async def file(content: Annotated[fastapi.UploadFile, fastapi.File()]) -> dict[str, Any]:
    digest = hashlib.sha256()
    size = 0
    while piece := await content.read(65536):
        digest.update(piece)
        size += len(piece)
    return {"size": size, "sha256": digest.hexdigest()}


@app.post("/stream")
async def stream(request: Request) -> dict[str, Any]:
    digest = hashlib.sha256()
    size = 0
    async for piece in request.stream():
        digest.update(piece)
        size += len(piece)
    return {"size": size, "sha256": digest.hexdigest()}
