"""Kill -9 in the middle of a build: built once, told once, nothing forgotten."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded.engines import free_port
from services.techdocs.configuration import TechdocsConfig
from services.techdocs.handlers.documented import store_revisions
from services.techdocs.model import CatalogRevision
from services.techdocs.store.records import MongoRecords
from services.techdocs.store.sources import GitAndFolders
from shared.contracts.entity import Entity
from shared.contracts.topics import DOCS_BUILT
from shared.kit.config.sections import load_config
from shared.kit.documents import mongo
from shared.kit.events.bus import EventRecord, LiveReader
from shared.kit.events.outbox import UNSENT
from shared.kit.git.mirrors import RepositoryMirrors
from tests.builders import component
from tests.techdocs.catalog_server import catalog_server, nothing_hidden
from tests.techdocs.fakes import HOST
from tests.techdocs.installation import SITE, Installation
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
REF = "component:default/box-office"


@asynccontextmanager
async def process(
    settings: Any, log: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Techdocs as a process of its own."""
    values = settings.model_dump(mode="json", exclude_none=True)
    values["service_secret"] = settings.service_secret.get_secret_value()
    environ = {f"CALLBOARD_{key.upper()}": str(value) for key, value in values.items()}
    with log.open("ab") as opened:
        started = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.techdocs.main",
            cwd=ROOT,
            env={**os.environ, **environ},
            stderr=opened,
            stdout=opened,
        )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.send_signal(signal.SIGKILL)
        await started.wait()


def documented() -> dict[str, Any]:
    """An entity whose docs are in the repository `box`."""
    return component(
        "box-office",
        metadata={
            "annotations": {
                "backstage.io/techdocs-ref": "dir:.",
                "backstage.io/managed-by-location": "url:"
                f"https://{HOST}/box/blob/main/catalog-info.yaml",
            }
        },
    )


@pytest.mark.faults
async def test_a_killed_build_is_completed_once(
    installation: Installation, mongodb: str, kafka: str, tmp_path: Path
) -> None:
    """The next process resumes the build; one site, one event, no rubbish."""
    installation.host.commit("box", SITE)
    client = mongo.connect(mongodb)
    table = mongo.database(client, "techdocs")["sites"]
    records = MongoRecords(table, "test", nudge=lambda: None)
    config = load_config(installation.settings().config, {}, TechdocsConfig)
    mirrors = RepositoryMirrors(tmp_path / "mirrors", config.integrations)
    revision = CatalogRevision(REF, 1, Entity(documented()))
    await store_revisions([revision], records, GitAndFolders(mirrors))
    events: list[EventRecord] = []

    async def receive(records: Any) -> None:
        events.extend(record for record in records if record.key == REF)

    async def is_published_once() -> bool:
        # What a second telling would leave behind, were there one.
        return len(events) == 1 and await table.count_documents(UNSENT) == 0

    async def building() -> bool:
        result = await table.find_one({"_id": REF})
        # The generator's own folder is there: it is past preparing.
        folder = settings.sites_folder / "building"
        return bool(result and result["lease_token"]) and any(folder.glob("*/record"))

    async def built() -> bool:
        result = await table.find_one({"_id": REF})
        return bool(result and result.get("site") and not result["pending"])

    log = tmp_path / "techdocs.log"
    async with (
        catalog_server(nothing_hidden) as url,
        LiveReader(kafka, [DOCS_BUILT], receive) as reader,
    ):
        settings = installation.settings(kafka=kafka, port=free_port(), catalog_url=url)
        await asyncio.wait_for(reader.reading.wait(), 30)
        async with process(settings, log) as first:
            await until(building, "a build")
            first.send_signal(signal.SIGKILL)
        assert not events
        async with process(settings, log):
            await until(built, "the site")
            await until(is_published_once)
    assert len(events) == 1
    assert len(list((settings.sites_folder / "objects").iterdir())) == 1
    client.close()
