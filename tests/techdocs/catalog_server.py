"""A catalog on a real port that answers who may read files, as techdocs asks it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.waiting import until

Answer = Callable[[Request], Awaitable[Response]]


async def nothing_hidden(request: Request) -> Response:
    """Nothing is hidden from anybody."""
    locations = (await request.json())["locations"]
    return JSONResponse({"state": "", "items": [False] * len(locations)})


@asynccontextmanager
async def catalog_server(answer: Answer) -> AsyncIterator[str]:
    """The address of a catalog with one answer about files."""
    routes = [
        Route(path, answer, methods=["POST"])
        for path in ("/sources/hidden", "/sources/open")
    ]
    config = uvicorn.Config(Starlette(routes=routes), port=0, log_level="critical")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    await until(lambda: server.started, "the catalog's server")
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
