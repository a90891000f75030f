"""Ollama's door to upload model files: /api/blobs/{digest}."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ossian.api.desk import desk_of
from ossian.api.guard import DRAIN_SECONDS
from ossian.errors import OssianError
from ossian.store.blobs import Upload, blob_path, receive

PIECE_BYTES = 1 << 20
Body = AsyncGenerator[bytes, None]


async def find_blob(request: Request) -> Response:
    """Whether a file was uploaded already."""
    path = blob_path(desk_of(request).settings.models, request.path_params["digest"])
    return Response(status_code=200 if path.is_file() else 404)


async def upload_blob(request: Request) -> Response:
    """Take in a file and compare it with its digest. Who hangs up leaves nothing behind."""
    models, digest = desk_of(request).settings.models, request.path_params["digest"]
    length = request.headers.get("content-length", "")
    body: Body = request.stream()
    try:
        if blob_path(models, digest).is_file():
            await forget(body)
            return Response()
        with receive(models, digest) as upload:
            upload.check_room(int(length) if length.isdecimal() else 0)
            await take(body, upload)
    except OssianError:
        await forget(body)
        raise
    return Response(status_code=201)


async def take(body: Body, upload: Upload) -> None:
    """Write the body piece by piece, each in a thread, so that a slow disk holds up nobody else."""
    piece = bytearray()
    async for data in body:
        piece += data
        if len(piece) >= PIECE_BYTES:
            await asyncio.to_thread(upload.write, bytes(piece))
            piece.clear()
    await asyncio.to_thread(upload.write, bytes(piece))
    await asyncio.to_thread(upload.finish)


async def forget(body: Body) -> None:
    """Read on for a while: a client that still writes would not read what we say."""
    with suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(DRAIN_SECONDS):
            async for _ in body:
                pass
