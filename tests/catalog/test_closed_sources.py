"""What closes a source that nothing comes from any more, and what does not."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.catalog.handlers.scanning import DesiredLocations, scan
from shared.kit.http.service_tokens import Grant, Principal
from tests.catalog.running import Host, Running, generated, pointing, running
from tests.catalog.test_refused_sources import (
    VISIBILITY,
    is_closed,
    pushed,
    refused,
)
from tests.catalog.test_repository_names import FILE, provider, push
from tests.catalog.test_source_rights import HIDDEN as HIDDEN_RULE
from tests.catalog.test_source_rights import MARK, entity, readable, somebody


@pytest.fixture
async def catalog(database: Any, data: Path, host: Host) -> AsyncIterator[Running]:
    """Nothing is hidden yet; the skeleton is compared with what is closed."""
    host.commit("goal", {FILE: entity("goal")})
    host.commit("skeleton", {"docs/x": "x"})
    async with running(database, data, host.discovering()) as started:
        yield started


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({FILE: None}, id="removed"),
        pytest.param({FILE: None, "catalog-info.yml": refused("hush")}, id="renamed"),
        pytest.param({FILE: ""}, id="emptied"),
        pytest.param({FILE: "# Nothing yet\n"}, id="only comments"),
        pytest.param({FILE: f"# {'x' * 10_500_000}\n"}, id="too large"),
        pytest.param({FILE: Path("/nowhere/outside")}, id="a link out"),
    ],
)
async def test_a_source_stays_closed_when_its_descriptor_is_gone(
    catalog: Running, host: Host, files: dict[str, Any]
) -> None:
    """Until an entity for everybody comes from it, also over scans and starts."""
    await pushed(catalog, host, "hush", refused("hush"))
    host.commit("hush", files)
    await push(catalog, host, "hush", *files)
    context = catalog.work.catalog
    is_unread = isinstance(files[FILE], Path) or len(files[FILE] or "") > 100
    assert ("component:hush" in await catalog.refs()) == is_unread
    assert await is_closed(catalog, host, "hush")
    name = generated(host.url("hush"), "url")
    assert context.state.is_restricted(f"location:default/{name}")
    for _ in range(2):
        await scan(context, DesiredLocations((), (provider(host),)), 1, print)
        assert await is_closed(catalog, host, "hush")
    for root in await context.roots.load(context.state.roots):
        context.state.put_root(root)
    assert await is_closed(catalog, host, "hush")
    await pushed(catalog, host, "hush", entity("open"))
    assert await readable(catalog, host.url("hush", "docs/secret.md"))


@pytest.mark.parametrize(
    "descriptor",
    [f"# {'x' * 10_500_000}\n", Path("/nowhere/outside"), Path("../../outside")],
    ids=["too large", "a link out", "a link above"],
)
async def test_a_descriptor_that_cannot_be_read_has_a_root(
    catalog: Running, host: Host, descriptor: Any
) -> None:
    """It shows what is wrong, and its repository is closed until that is mended."""
    host.commit("heavy", {FILE: descriptor, "docs/secret.md": MARK})
    await push(catalog, host, "heavy", FILE)
    assert await is_closed(catalog, host, "heavy")
    name = generated(host.url("heavy"), "url")
    [problem] = await catalog.problems(name)
    assert "over the limit" in problem or "leads outside the repository" in problem


LOCATION = pointing("all", "./svc/h.yaml")
HIDDEN = refused("hidden")
TAKEN = refused("goal")
WEB = entity("web")


async def is_hidden(catalog: Running, host: Host) -> bool:
    """Whether neither the whole repository nor anything beside the file is readable."""
    paths = ("tree/main/", "tree/main/svc", "blob/main/svc/h.yaml", "blob/main/svc/x")
    answers = {
        await readable(catalog, f"https://{host.name}/hush/{path}") for path in paths
    }
    assert len(answers) == 1, answers
    return answers == {False}


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({FILE: "kind: [\nx: callboard.dev/visibility: a"}, id="broken"),
        pytest.param({FILE: TAKEN}, id="its name is taken"),
        pytest.param({FILE: None}, id="removed"),
    ],
)
async def test_what_was_hidden_once_stays_so(
    catalog: Running, host: Host, files: dict[str, Any]
) -> None:
    """Also if it comes back and is refused, and goes again."""
    await pushed(catalog, host, "hush", HIDDEN)
    for step in (files, {FILE: TAKEN}, {FILE: None}):
        host.commit("hush", step)
        await push(catalog, host, "hush", FILE)
        assert await is_closed(catalog, host, "hush")


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({FILE: None, ".bs/info.yaml": LOCATION}, id="out of sight"),
        pytest.param({FILE: pointing("all", "./x.yaml")}, id="names it no longer"),
        pytest.param({FILE: WEB}, id="another entity"),
        pytest.param({FILE: "kind: ["}, id="broken"),
    ],
)
async def test_what_a_location_brought_hidden_stays_so(
    catalog: Running, host: Host, files: dict[str, Any]
) -> None:
    """Whatever becomes of the Location: nobody says that the rest is for everybody."""
    started = {FILE: LOCATION, "svc/h.yaml": HIDDEN, "svc/x": "x"}
    host.commit("hush", started)
    await push(catalog, host, "hush", *started)
    assert await is_hidden(catalog, host)
    for step in (files, {FILE: None}):
        if (host.copies / "hush" / FILE).exists():
            host.commit("hush", step)
            await push(catalog, host, "hush", *step)
        assert await is_hidden(catalog, host)


@pytest.mark.parametrize("beside", [[], [WEB]], ids=["alone", "beside a public one"])
async def test_a_refused_first_descriptor_closes_for_good(
    catalog: Running, host: Host, beside: list[Any]
) -> None:
    """It asked to be hidden; that it never was an entity makes no difference."""
    await pushed(catalog, host, "hush", TAKEN, *beside)
    host.commit("hush", {FILE: None})
    await push(catalog, host, "hush", FILE)
    assert await is_closed(catalog, host, "hush")


@pytest.mark.parametrize("pattern", ["svc/h.yaml", "svc/*.yaml"])
@pytest.mark.parametrize(
    "change", [{"svc/h.yaml": TAKEN}, {"svc/h.yaml": None}], ids=["taken", "removed"]
)
async def test_what_was_registered_as_hidden_stays_so(
    catalog: Running, host: Host, pattern: str, change: dict[str, Any]
) -> None:
    """Until it is unregistered."""
    host.commit("hush", {"svc/h.yaml": HIDDEN, "docs/secret.md": MARK, "svc/x": "x"})
    answer = await catalog.register(host.url("hush", pattern))
    assert answer.status_code == 201
    assert "component:hidden" in await catalog.refs()
    assert await is_closed(catalog, host, "hush")
    host.commit("hush", change)
    await push(catalog, host, "hush", *change)
    assert "component:hidden" not in await catalog.refs()
    assert await is_closed(catalog, host, "hush")
    own_id = answer.json()["location"]["id"]
    stranger = replace(
        somebody(),
        permission="catalog.location.delete",
        decision="conditional",
        conditions={"not": HIDDEN_RULE},
    )
    root = catalog.work.catalog.state.root_with_id(own_id)
    assert root is not None
    registered_by = replace(root, registrant=stranger.subject)
    catalog.work.catalog.state.put_root(registered_by)
    answer = await catalog.ask("DELETE", f"/locations/{own_id}", None, stranger)
    assert answer.status_code == 403, answer.text
    catalog.work.catalog.state.put_root(root)
    assert (await catalog.ask("DELETE", f"/locations/{own_id}")).status_code == 204
    assert await readable(catalog, host.url("hush", "docs/secret.md"))


def vera() -> Principal:
    """An owner of what is hidden, as the policy decides on her."""
    owned = {
        "rule": "IS_ENTITY_OWNER",
        "resourceType": "catalog-entity",
        "params": {"claims": ["group:default/vault"]},
    }
    also = {"callboard.source.explore": Grant("allow")}
    return Principal(
        "user:default/vera",
        "user",
        permission="callboard.source.read",
        decision="conditional",
        conditions={"anyOf": [{"not": HIDDEN_RULE}, owned]},
        also=also,
    )


async def reads(catalog: Running, url: str, who: Principal) -> bool:
    body = {"locations": [f"url:{url}"]}
    answer = await catalog.ask("POST", "/sources/readable", body, who)
    return bool(answer.json()["items"][0]["readable"])


@pytest.mark.parametrize("neighbour", ["b/info.yaml", FILE])
async def test_a_push_to_a_neighbour_forgets_nothing(
    catalog: Running, host: Host, neighbour: str
) -> None:
    """It reads only what it changed; the hidden file goes by the next push."""
    locations = pointing("all", "./svc/h.yaml", "./b/info.yaml")
    files: dict[str, Any] = {FILE: [locations, entity("goal-2")], "b/info.yaml": WEB}
    started = {**files, "svc/h.yaml": HIDDEN, "svc/x": "x"}
    host.commit("hush", started)
    await push(catalog, host, "hush", *started)
    changes = {"b/info.yaml": entity("web", type="website"), FILE: [locations]}
    host.commit("hush", {neighbour: changes[neighbour]})
    await push(catalog, host, "hush", neighbour)
    assert await is_hidden(catalog, host)
    host.commit("hush", {"svc/h.yaml": None})
    await push(catalog, host, "hush", "svc/h.yaml")
    assert "component:hidden" not in await catalog.refs()
    assert not await readable(catalog, host.url("hush", "svc/x"))


async def test_what_is_noted_of_a_location_fits_into_its_document(
    catalog: Running, host: Host
) -> None:
    """Of very many hidden entities their files are noted, not they themselves."""
    long = {"x.example/long": "x" * 6_000}
    documents = [refused(f"hidden-{n}", **long) for n in range(400)]
    await pushed(catalog, host, "hush", *documents)
    [root] = [
        r
        for r in catalog.work.catalog.state.roots.values()
        if "/hush/" in str(r.location)
    ]
    described = [file for file in root.closed.values() if file.entity is not None]
    assert len(root.closed) == 400
    assert 0 < len(described) < 400
    host.commit("hush", {FILE: None})
    await push(catalog, host, "hush", FILE)
    assert await is_closed(catalog, host, "hush")


async def test_a_new_default_branch_opens_nothing(catalog: Running, host: Host) -> None:
    """The root of the old branch goes, and what it closed is closed by the new one."""
    await pushed(catalog, host, "hush", HIDDEN)
    host.commit("hush", {FILE: ""})
    await push(catalog, host, "hush", FILE)
    host.rename_branch("hush", "trunk")
    context = catalog.work.catalog
    for _ in range(2):
        await scan(context, DesiredLocations((), (provider(host),)), 1, print)
        assert not await readable(catalog, f"https://{host.name}/hush/tree/trunk/")
        assert not await readable(
            catalog, f"https://{host.name}/hush/blob/trunk/docs/x"
        )


@pytest.mark.parametrize("is_edited", [False, True])
async def test_a_renamed_folder_stays_hidden(
    catalog: Running, host: Host, is_edited: bool
) -> None:
    """Git knows where its descriptor went, although no Location names it there."""
    started = {FILE: [WEB, LOCATION], "svc/h.yaml": HIDDEN, "svc/x": "x\n" * 9}
    host.commit("hush", started)
    await push(catalog, host, "hush", *started)
    assert await is_hidden(catalog, host)
    for old, new in (("svc", "service"), ("service", "hidden/service")):
        files: dict[str, Any] = {f"{old}/h.yaml": None, f"{old}/x": None}
        files |= {f"{new}/h.yaml": HIDDEN, f"{new}/x": "x\n" * 9}
        if is_edited:
            edited = {**HIDDEN, "spec": {**HIDDEN["spec"], "lifecycle": new[:3]}}
            files[f"{new}/h.yaml"] = edited
        host.commit("hush", files)
        await push(catalog, host, "hush", *files)
        for path in (f"{new}/x", f"{new}/h.yaml"):
            assert not await readable(catalog, host.url("hush", path)), path
        assert await reads(catalog, host.url("hush", f"{new}/x"), vera())
    assert await readable(catalog, host.url("hush", "docs/x"))


async def test_a_file_of_two_documents_stays_closed_to_those_who_see_one(
    catalog: Running, host: Host
) -> None:
    """The other one was hidden, and is refused now; its owners go on reading."""
    host.commit("hush", {"svc/h.yaml": [HIDDEN, WEB], "svc/x": "x"})
    await catalog.register(host.url("hush", "svc/h.yaml"))
    assert not await readable(catalog, host.url("hush", "svc/h.yaml"))
    host.commit("hush", {"svc/h.yaml": [TAKEN, WEB]})
    await push(catalog, host, "hush", "svc/h.yaml")
    assert await catalog.entity("component:default/hidden") is None
    assert not await readable(catalog, host.url("hush", "svc/h.yaml"))
    assert await reads(catalog, host.url("hush", "svc/h.yaml"), vera())


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"svc/h.yaml": entity("hidden")}, id="it is for everybody"),
        pytest.param({"svc/h.yaml": WEB}, id="another takes its place"),
        pytest.param(
            {
                FILE: pointing("all", "./svc/new.yaml"),
                "svc/new.yaml": entity("hidden"),
                "svc/h.yaml": None,
            },
            id="it moved, and is for everybody",
        ),
    ],
)
async def test_who_wrote_what_was_hidden_may_open_it(
    catalog: Running, host: Host, files: dict[str, Any]
) -> None:
    """The whole repository is readable again."""
    started = {FILE: LOCATION, "svc/h.yaml": HIDDEN, "svc/x": "x"}
    host.commit("hush", started)
    await push(catalog, host, "hush", *started)
    assert await is_hidden(catalog, host)
    host.commit("hush", files)
    await push(catalog, host, "hush", *files)
    assert not await is_hidden(catalog, host)


async def test_the_owners_of_what_was_hidden_go_on_reading_it(
    catalog: Running, host: Host
) -> None:
    """They move its descriptor, register that, and open it to everybody later."""
    await pushed(catalog, host, "hush", HIDDEN)
    root = f"https://{host.name}/hush/tree/main/"
    moved = {FILE: None, "service.yaml": HIDDEN}
    host.commit("hush", moved)
    await push(catalog, host, "hush", *moved)
    assert "component:hidden" not in await catalog.refs()
    assert await reads(catalog, root, vera())
    assert await is_closed(catalog, host, "hush")
    answer = await catalog.register(host.url("hush", "service.yaml"))
    assert answer.status_code == 201, answer.text
    assert await reads(catalog, root, vera())
    assert await is_closed(catalog, host, "hush")
    for name in ("hidden", "renamed"):
        host.commit("hush", {"service.yaml": entity(name)})
        await push(catalog, host, "hush", "service.yaml")
        assert await readable(catalog, root)


async def test_the_location_of_a_refused_restricted_descriptor_is_hidden(
    catalog: Running, host: Host
) -> None:
    """It would tell that there is such a repository; who registers a file sees it."""
    await pushed(catalog, host, "hush", refused("no name"))
    name = generated(host.url("hush"), "url")
    state = catalog.work.catalog.state
    assert state.is_restricted(f"location:default/{name}")
    await pushed(catalog, host, "hush", entity("open"))
    assert not state.is_restricted(f"location:default/{name}")
    host.commit("goal", {"own.yaml": refused("no name")})
    answer = await catalog.register(host.url("goal", "own.yaml"))
    assert answer.status_code == 201
    own_name = generated(host.url("goal", "own.yaml"), "url")
    assert not state.is_restricted(f"location:default/{own_name}")


async def test_nobody_closes_a_repository_by_registering_a_file_of_it(
    database: Any, data: Path, host: Host
) -> None:
    """Nor by naming one in their own: a skeleton's descriptor, a page about hiding."""
    page = f"# Hiding\n\n    {VISIBILITY}: restricted\n\n`x: [`\n"
    files = {
        "skeleton/info.yaml": refused("${{ values.name }}"),
        "docs/hiding.md": page,
    }
    host.commit("guide", {**files, "docs/x": "x"})
    async with running(database, data, host.discovering()) as catalog:
        for path in files:
            answer = await catalog.register(host.url("guide", path))
            assert answer.status_code == 201, answer.text
        await pushed(
            catalog,
            host,
            "own",
            pointing("own", *(host.url("guide", path) for path in files)),
        )
        for place in ("blob/main/docs/hiding.md", "tree/main/skeleton", "tree/main/"):
            assert await readable(catalog, f"https://{host.name}/guide/{place}"), place
