"""Repositories that their host does not show to everybody."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.catalog.handlers.scanning import scan
from tests import builders
from tests.catalog.running import OPEN, running
from tests.shared.githost import GitHost, git_host

TOKEN = "catalog-reader-token"
FILE = "catalog-info.yaml"


@pytest.fixture
def private(data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHost]:
    monkeypatch.setenv("NO_PROXY", "localhost")
    with git_host(data / "host") as started:
        raw = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
        started.expected = f"Basic {raw}"
        started.commit("team/web", {FILE: yaml.safe_dump(builders.component("web"))})
        yield started


def configured(host: GitHost, token: str | None = None) -> str:
    entry = {"host": host.name, "caFile": str(host.authority), "token": token}
    target = f"https://{host.name}/team/web/blob/main/{FILE}"
    config = yaml.safe_load(OPEN)
    config["catalog"]["locations"] = [{"type": "url", "target": target}]
    config["integrations"] = {"github": [entry]}
    return yaml.safe_dump(config)


async def test_a_private_repository_is_read_with_a_token(
    database: Any, data: Path, private: GitHost
) -> None:
    """An entry of `integrations` is enough."""
    async with running(database, data, configured(private, TOKEN)) as catalog:
        assert await catalog.refs() == {"component:web"}


async def test_a_refused_repository_is_reported_in_status_and_log(
    database: Any, data: Path, private: GitHost
) -> None:
    """The location's status says what to do; every scan reports it again."""
    async with running(database, data, configured(private)) as catalog:
        [root] = catalog.work.catalog.state.roots.values()
        [problem] = await catalog.problems(root.name)
        assert private.name in problem
        assert "`integrations`" in problem
        reports: list[tuple[str, str]] = []
        work = catalog.work
        await scan(
            work.catalog, work.desired, 2, lambda *report: reports.append(report)
        )
        assert reports == [(str(root.location), problem)]
