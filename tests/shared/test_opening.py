"""The start of a service: at once, or as soon as what it needs is there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.scaffolder.main import create_app as scaffolder
from services.techdocs.main import create_app as techdocs
from shared.contracts.errors import Invalid, Unavailable
from shared.kit.documents.mongo import Unfit
from shared.kit.http.apps import make_app
from shared.kit.http.startup import Opening, WhenOpen
from tests.catalog.running import settings_of
from tests.shared import documents
from tests.waiting import until

CONFIG = "scaffolder: {concurrentTasksLimit: 0}\n"


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.router.lifespan_context(app))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://s")
        yield await stack.enter_async_context(client)


def app_of(opening: Opening) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with opening:
            yield

    app = make_app("t", lifespan=lifespan)
    app.state.checks["open"] = opening.check
    app.add_middleware(WhenOpen, problem=opening.problem)

    @app.get("/x")
    async def x() -> dict[str, bool]:
        return {"x": True}

    return app


async def test_available_parts_open_at_once() -> None:
    """No request is refused; the parts are closed at the end."""
    steps: list[str] = []

    async def opens(stack: AsyncExitStack) -> None:
        steps.append("open")
        stack.callback(steps.append, "closed")

    async with serving(app_of(Opening("t", opens))) as client:
        assert (await client.get("/x")).status_code == 200
        assert (await client.get("/readyz")).status_code == 200
        assert steps == ["open"]
    assert steps == ["open", "closed"]


async def test_unavailable_parts_are_waited_for_and_named() -> None:
    """Requests get 503 with the reason; opened parts are closed before a retry."""
    away: list[Exception] = [Unavailable("The attic is away"), Unfit("Wrong attic")]
    left: list[str] = []

    async def opens(stack: AsyncExitStack) -> None:
        stack.callback(left.append, "half")
        if away:
            raise away.pop(0)

    async with serving(app_of(Opening("t", opens))) as client:
        answer = await client.get("/x")
        assert answer.status_code == 503
        assert "The attic is away" in answer.json()["error"]["message"]
        assert "retry-after" in answer.headers
        ready = await client.get("/readyz")
        assert "The attic is away" in ready.json()["checks"]["open"]
        assert (await client.get("/healthz")).status_code == 200

        async def opened() -> bool:
            return (await client.get("/x")).status_code == 200

        await until(opened)
        assert left == ["half", "half"]


async def test_a_configuration_error_ends_the_start() -> None:
    """Waiting does not cure a wrong configuration."""

    async def opens(_stack: AsyncExitStack) -> None:
        raise Invalid("knob: must be turned")

    with pytest.raises(Invalid, match="knob"):
        async with Opening("t", opens):
            pass


@pytest.mark.parametrize("service", [scaffolder, techdocs])
async def test_services_that_start_before_their_store_wait(
    service: Any, kafka: str, tmp_path: Path
) -> None:
    """They serve 503 with the reason, and open when the store is there."""
    with documents.started(tmp_path) as engine:
        port = int(engine.address.rpartition(":")[2])
    settings = settings_of(tmp_path, CONFIG, mongodb=engine.address, kafka=kafka)
    values = settings.model_dump(exclude={"scan_seconds", "scan_at_once", "group"})
    module = __import__(service.__module__, fromlist=["Settings"])
    async with serving(service(module.Settings(**values))) as client:
        answer = await client.get("/nothing")
        assert answer.status_code == 503
        assert "document store does not answer" in answer.text
        again = await asyncio.to_thread(documents.start, tmp_path, port)

        async def open_now() -> bool:
            # Who says no more of themselves is refused, and that by an open service.
            return (await client.get("/nothing")).status_code == 401

        await until(open_now)

        async def joined() -> bool:
            # A worker that is stopped while it joins its group leaves a thread.
            return bool(
                (await client.get("/readyz")).json()["checks"]["events"] == "ok"
            )

        await until(joined)
    again.stop()
