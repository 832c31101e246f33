"""A techdocs for each test, on the real document store and real Git."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.techdocs.generator.job import Job
from services.techdocs.model import Generated
from services.techdocs.stages.generate import ProcessGenerator
from tests.techdocs.box_office import publish
from tests.techdocs.generating import FOLDERS, Make
from tests.techdocs.installation import Installation, Running


@pytest.fixture
def installation(tmp_path: Path, mongodb: str, secret: str) -> Installation:
    return Installation(tmp_path, mongodb, secret)


@pytest.fixture
async def techdocs(installation: Installation) -> AsyncIterator[Running]:
    async with installation.start() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def built(
    tmp_path_factory: pytest.TempPathFactory, mongodb: str
) -> AsyncIterator[Running]:
    """One site that the tests of a module read; those that change it use `own`."""
    folder = tmp_path_factory.mktemp("built")
    async with Installation(folder, mongodb, "s" * 40).start() as running:
        await publish(running)
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def own(installation: Installation) -> AsyncIterator[Running]:
    """The same site, for one test to change."""
    async with installation.start() as running:
        await publish(running)
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def generator() -> AsyncIterator[ProcessGenerator]:
    async with ProcessGenerator(60) as process_generator:
        yield process_generator


@pytest.fixture
def generate(tmp_path: Path, generator: ProcessGenerator) -> Make:
    """Builds a site of files; with the site comes the log."""

    async def make(
        files: Mapping[str, str], by: ProcessGenerator | None = None, **job: Any
    ) -> tuple[Generated, list[str]]:
        folders = {name: tmp_path / name for name in FOLDERS}
        for folder in folders.values():
            folder.mkdir()
        for name, text in files.items():
            path = folders["source"] / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, errors="surrogateescape")
        config = "mkdocs.yml" if "mkdocs.yml" in files else None
        paths = {name: str(folder) for name, folder in folders.items()}
        job_fields = {"title": "Web", "config": config, **paths, **job}
        log: list[str] = []
        generated = await (by or generator).generate(Job(**job_fields), log.append)
        return generated, log

    return make
