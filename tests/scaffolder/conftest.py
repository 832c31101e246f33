"""The whole scaffolder on real engines, with a catalog that is two dictionaries."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.scaffolder.main import create_app
from services.scaffolder.settings import Settings
from shared.kit.documents.mongo import connect
from tests.scaffolder.fakes import DictCatalog
from tests.scaffolder.workbench import HOST, Bench
from tests.shared.githost import git
from tests.waiting import until

CONFIG = """
organization: {name: Test}
backend:
  reading:
    allow: [{host: 127.0.0.1:7}]
integrations:
  local:
    - host: git.example.test
      directory: %(repositories)s
scaffolder:
  concurrentTasksLimit: %(slots)d
"""


@pytest.fixture
def catalog() -> DictCatalog:
    return DictCatalog()


@pytest.fixture
def repositories(tmp_path: Path) -> Path:
    """The folder of a host of type `local`, git.example.test."""
    folder = tmp_path / "repositories"
    folder.mkdir()
    return folder


@pytest.fixture
def make_settings(
    mongodb: str, kafka: str, tmp_path: Path, repositories: Path, secret: str
) -> Callable[..., Settings]:
    def make(slots: int = 10, data: str = "data", **more: Any) -> Settings:
        config = tmp_path / f"config-{slots}.yaml"
        config.write_text(CONFIG % {"repositories": repositories, "slots": slots})
        away = "http://127.0.0.1:9"
        values: dict[str, Any] = {
            "kafka": kafka,
            "mongodb": mongodb,
            "config": config,
            "data": tmp_path / data,
            "service_secret": secret,
            "gateway_url": away,
            "catalog_url": away,
            "scaffolder_url": away,
            "techdocs_url": away,
            "search_url": away,
            "analytics_url": away,
            "port": 0,
            **more,
        }
        return Settings(**values)

    return make


Started = Callable[..., Any]


@pytest.fixture
def ann(principal_headers: Any) -> Any:
    """The headers of a user."""
    return principal_headers()


@pytest.fixture
async def start(
    make_settings: Callable[..., Settings], catalog: DictCatalog, mongodb: str
) -> AsyncIterator[Started]:
    """Starts scaffolders, each an HTTP client; their runs are gone afterwards."""

    @asynccontextmanager
    async def started(
        own_catalog: Any = catalog, *, consumes_events: bool = False, **overrides: Any
    ) -> AsyncIterator[httpx.AsyncClient]:
        settings = make_settings(**overrides)
        app = create_app(settings, catalog=own_catalog, consumes_events=consumes_events)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(app.router.lifespan_context(app))
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            client = httpx.AsyncClient(transport=transport, base_url="http://s")
            client.app = app  # type: ignore[attr-defined]
            yield await stack.enter_async_context(client)
            if consumes_events:
                # A worker that is stopped while it joins its group leaves a thread.
                await until(lambda: ready(client), condition="it has joined")

    async def ready(client: httpx.AsyncClient) -> bool:
        return (await client.get("/readyz")).status_code == 200

    yield started
    mongo = connect(mongodb)
    await mongo.drop_database("callboard_scaffolder")
    mongo.close()


@pytest.fixture
def bench(tmp_path: Path, repositories: Path, catalog: Any) -> Bench:
    return Bench(tmp_path, repositories, catalog)


@pytest.fixture
def kit(repositories: Path, tmp_path: Path) -> str:
    """A template's repository at the host; the template's own URL."""
    work = tmp_path / "kit"
    (work / "templates/skeleton").mkdir(parents=True)
    (work / "templates/skeleton/${{ values.n }}.txt").write_text("I am ${{ values.n }}")
    (work / "templates/template.yaml").write_text("x")
    (work / "shared.txt").write_text("common")
    (work / "with space").mkdir()
    (work / "with space/50%.txt").write_text("half")
    git("init", "-q", "-b", "main", cwd=work)
    git("add", ".", cwd=work)
    git("commit", "-q", "-m", "first", cwd=work)
    git("clone", "-q", "--bare", str(work), str(repositories / "kit.git"), cwd=work)
    return f"https://{HOST}/kit/blob/main/templates/template.yaml"
