"""While the documents' engine is away: read on, say so, and change nothing."""

import asyncio
import time
from pathlib import Path

import httpx

from services.catalog.main import create_app
from services.catalog.settings import Settings
from shared.kit.documents import mongo
from shared.kit.events.bus import MemoryBus
from tests import builders
from tests.catalog.running import OPEN, Running, running, settings_of, write
from tests.shared import documents
from tests.waiting import until

SOON = 20.0


async def stale(catalog: Running) -> int:
    """The seconds that an answer is marked with."""
    answer = await catalog.ask("GET", "/entities/by-name/component/default/web")
    assert answer.status_code == 200
    assert answer.json()["metadata"]["name"] == "web"
    return int(answer.headers.get("callboard-stale", 0))


async def refused(catalog: Running, file: Path) -> httpx.Response:
    """A change that is answered 503 in time."""
    start = time.monotonic()
    answer = await catalog.register(file)
    assert time.monotonic() - start < SOON
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) > 0
    return answer


async def test_without_the_store_reads_are_stale_and_writes_fail(
    tmp_path: Path,
) -> None:
    """Frozen or killed: reads answer fast, changes get 503, later all is normal."""
    one = write(tmp_path, "one.yaml", builders.component("web"))
    two = write(tmp_path, "two.yaml", builders.component("cart"))
    with documents.started(tmp_path) as engine:
        client = mongo.connect(engine.server)
        async with running(client["catalog"], tmp_path) as catalog:
            assert (await catalog.register(one)).status_code == 201
            assert await stale(catalog) == 0
            with documents.frozen(engine):
                answer = await refused(catalog, two)
                assert "does not answer" in answer.json()["error"]["message"]
                assert await until(lambda: stale(catalog))
                start = time.monotonic()
                for _ in range(20):
                    await stale(catalog)
                assert time.monotonic() - start < 5
                ready = await catalog.http.get("/readyz")
                assert ready.status_code == 503
                assert "answer" in ready.json()["checks"]["documents"]
            engine.process.kill()
            engine.process.wait()
            await refused(catalog, two)
            await refused(catalog, two)
            port = int(engine.address.rpartition(":")[2])
            again = await asyncio.to_thread(documents.start, tmp_path, port)

            async def current() -> bool:
                return not await stale(catalog)

            await until(current)
            # Whoever was told to try again does not hear that it is there already.
            assert (await catalog.register(two)).status_code == 201
            assert "component:cart" in await catalog.refs()
        client.close()
        again.stop()


async def test_a_catalog_that_starts_before_its_store_waits(tmp_path: Path) -> None:
    """It answers 503 with the reason, and loads when the store is there."""
    with documents.started(tmp_path) as engine:
        port = int(engine.address.rpartition(":")[2])
    settings: Settings = settings_of(tmp_path, OPEN, mongodb=engine.address)
    app = create_app(settings, bus=MemoryBus())
    async with app.router.lifespan_context(app):
        catalog = Running(app, MemoryBus())
        assert (await catalog.ask("GET", "/entities")).status_code == 503

        async def said() -> bool:
            ready = await catalog.http.get("/readyz")
            assert ready.status_code == 503
            return "does not answer" in ready.json()["checks"]["catalog loaded"]

        await until(said)
        again = await asyncio.to_thread(documents.start, tmp_path, port)

        async def loaded() -> bool:
            return (await catalog.ask("GET", "/entities")).status_code == 200

        await until(loaded)
        await catalog.http.aclose()
    again.stop()
