"""A link in a repository opens nothing that its reader may not see (ADR 18)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.catalog.running import Host, Running, pointing, running
from tests.catalog.test_source_rights import (
    BO,
    MARK,
    analysed,
    dry,
    entity,
    readable,
)

FILE = "catalog-info.yaml"


@pytest.fixture
def host(data: Path) -> Host:
    return Host(data)


@pytest.fixture
async def catalog(database: Any, data: Path, host: Host) -> AsyncIterator[Running]:
    """A repository with links from an open folder into a hidden one."""
    host.commit(
        "mixed",
        {
            FILE: pointing("all", "./pub/info.yaml", "./sub/info.yaml"),
            "pub/info.yaml": entity("pub"),
            "pub/real.yaml": entity("real"),
            "sub/info.yaml": entity("sub", restricted=True),
            "sub/other.yaml": entity("other", description=MARK),
            "sub/plan.txt": f"{MARK}\n",
            "pub/other.yaml": Path("../sub/other.yaml"),
            "pub/gone.yaml": Path("../sub/none.yaml"),
            "pub/open.yaml": Path("real.yaml"),
            "pub/plan.txt": Path("../sub/plan.txt"),
            "pub/d": Path("../sub"),
        },
    )
    async with running(database, data, host.discovering()) as started:
        assert await started.refs() >= {"component:pub", "component:sub"}
        yield started


async def test_a_link_to_a_hidden_descriptor_cannot_be_registered(
    catalog, host
) -> None:
    """In a dry run and in earnest, as if it led to nothing."""
    messages = set()
    for path in ("pub/gone.yaml", "pub/other.yaml", "pub/d/other.yaml"):
        answer = await dry(catalog, host.url("mixed", path))
        assert answer.status_code == 400, answer.text
        assert MARK not in answer.text
        messages.add(answer.json()["error"]["message"].replace(path, "PATH"))
        body = {"type": "url", "target": host.url("mixed", path)}
        await catalog.ask("POST", "/locations", body, BO)
    assert len(messages) == 1, messages
    assert "component:other" not in await catalog.refs()
    body = {"type": "url", "target": host.url("mixed", "pub/open.yaml")}
    assert (await catalog.ask("POST", "/locations", body, BO)).status_code == 201
    assert "component:real" in await catalog.refs()


async def test_a_location_opens_links_as_it_opens_files(catalog, host) -> None:
    """Its author could write the address of the file; the reader of a dry run not."""
    host.commit("mixed", {"pub/more.yaml": pointing("more", "./other.yaml")})
    url = host.url("mixed", "pub/more.yaml")
    assert MARK not in (await dry(catalog, url)).text
    assert (await catalog.register(url)).status_code == 201
    assert "component:other" in await catalog.refs()


async def test_validation_includes_nothing_behind_a_hidden_place(catalog, host) -> None:
    """An error repeats a part of what a placeholder stands for."""
    for path, status in (("plan.txt", 400), ("d/plan.txt", 400), ("info.yaml", 200)):
        document = entity("probe")
        document["spec"]["type"] = {"$text": f"./{path}"}
        location = f"url:{host.url('mixed', 'pub/x.yaml')}"
        body = {"entity": document, "location": location}
        answer = await catalog.ask("POST", "/validate-entity", body, BO)
        assert answer.status_code == status, answer.text
        if status == 400:
            assert "no file behind the link" in answer.text


async def test_analysis_leaves_out_links_to_what_is_hidden(catalog, host) -> None:
    """And goes on with the other files of that name."""
    for name in ("other.yaml", "gone.yaml"):
        answer = await analysed(catalog, host, "mixed", catalogFilename=name)
        assert answer.status_code == 200, answer.text
        assert answer.json()["existingEntityFiles"] == []
    answer = await analysed(catalog, host, "mixed", catalogFilename="open.yaml")
    names = [
        item["entity"]["metadata"]["name"]
        for item in answer.json()["existingEntityFiles"]
    ]
    assert names == ["real"]


async def test_readable_is_about_an_address_alone(catalog, host) -> None:
    """Services ask once more for the places that its links lead to."""
    assert await readable(catalog, host.url("mixed", "pub/plan.txt"))
    assert not await readable(catalog, host.url("mixed", "sub/plan.txt"))


async def test_a_pattern_of_hidden_files_matches_nothing(catalog, host) -> None:
    """Nobody learns by patterns what files there are; others are read."""
    host.commit("mixed", {"sub/unique.yaml": entity("unique", description=MARK)})
    root = f"https://{host.name}/mixed/blob/main"
    messages = set()
    for name in ("**/uni*.yaml", "**/zz*.yaml"):
        answer = await dry(catalog, f"{root}/{name}")
        assert answer.status_code == 400, answer.text
        messages.add(answer.json()["error"]["message"].replace(name, "PATTERN"))
        body = {"type": "url", "target": f"{root}/{name}"}
        await catalog.ask("POST", "/locations", body, BO)
    assert len(messages) == 1, messages
    assert "component:unique" not in await catalog.refs()
    answer = await dry(catalog, f"{root}/**/*al.yaml")
    assert answer.status_code == 201, answer.text
    assert "real" in answer.text
