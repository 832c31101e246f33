"""Whatever ends a build, a site from before does not outlast the rights to it."""

import asyncio
import errno
from typing import Any

import pytest

from services.techdocs.handlers.builds import PATIENT_TRIES
from services.techdocs.handlers.documented import visibility_changed
from services.techdocs.model import CHECK, SETTLING_SECONDS, Documented
from shared.contracts.annotations import (
    MANAGED_BY_LOCATION,
    TECHDOCS_ENTITY,
    TECHDOCS_REF,
)
from shared.contracts.errors import Invalid
from tests.builders import component
from tests.techdocs.fakes import HOST
from tests.techdocs.installation import SITE, Running
from tests.techdocs.test_hidden_files import BLOB, DOCS, MARK, NESTED, answers, restrict
from tests.techdocs.test_withdrawn_for_readers import (
    PAGE,
    REF,
    RESTRICTED,
    build_site,
    is_gone,
)
from tests.waiting import until

SECRET = f"{BLOB}/docs/secret/"


async def settled(techdocs: Running) -> Documented:
    """The record when nothing of it is due any more."""
    records: Any = techdocs.app.state.dependencies.records

    async def idle() -> Any:
        record = await records.get(REF)
        return record if record is not None and not record.due else None

    result: Documented = await until(idle, "the end of all builds")
    return result


async def hide(techdocs: Running, place: str = "docs/secret") -> None:
    techdocs.catalog.hidden |= {f"{BLOB}/secret/", SECRET}
    await restrict(techdocs, place, **RESTRICTED)


async def test_a_failure_from_before_proves_nothing(
    techdocs: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same content failed while the site had something that it has no more."""
    await build_site(techdocs)
    generator = type(techdocs.app.state.dependencies.syncing._queue._tools.generator)

    async def fail(*_: Any) -> None:
        raise Invalid("a mistake of the docs")

    monkeypatch.setattr(generator, "generate", fail)
    moved: dict[str, str | None] = dict.fromkeys(DOCS)
    await techdocs.push("box", {**moved, "secret/plan.md": f"# {MARK}\n"})
    await techdocs.built("web", status="failed")
    assert MARK in await answers(techdocs)
    await hide(techdocs, "secret")
    await until(lambda: is_gone(techdocs), "no site")
    record = await settled(techdocs)
    assert record.failure is not None, "and the docs still fail"


@pytest.mark.parametrize(
    "reference",
    [
        "foo:bar",
        "url:https://nowhere.example/x/y",
        f"url:https://{HOST}/no-such/tree/main/",
        f"url:https://{HOST}/empty/tree/main/",
    ],
)
async def test_a_site_of_a_repository_that_its_entity_names_no_more(
    techdocs: Running, reference: str
) -> None:
    """What becomes hidden in that one concerns it, by an event and by a check."""
    await build_site(techdocs)
    techdocs.host.commit("empty", {"x.txt": "x"})
    annotations = {TECHDOCS_REF: reference, MANAGED_BY_LOCATION: f"{BLOB}/c.yaml"}
    changed = techdocs.catalog.put(component("web"), **annotations)
    await techdocs.tell(changed.model_copy(update={"revision": 5}), REF)
    await techdocs.built("web", status="failed")
    assert not await is_gone(techdocs), "a mistake takes no docs away"
    await hide(techdocs)
    await until(lambda: is_gone(techdocs), "no site")


async def test_docs_of_another_entity_take_the_place_of_its_own(
    techdocs: Running,
) -> None:
    """Nobody would make them anew."""
    await build_site(techdocs)
    changed = techdocs.catalog.put(
        component("web"), **{TECHDOCS_ENTITY: "component:other"}
    )
    await techdocs.tell(changed.model_copy(update={"revision": 5}), REF)

    async def has_none() -> bool:
        records = techdocs.app.state.dependencies.records
        return REF not in {ref for ref, _ in await records.published()}

    await until(has_none, "no site of its own")


@pytest.mark.parametrize("tries", [0, PATIENT_TRIES])
@pytest.mark.parametrize("error", [TypeError("a fault of ours"), "a full disk"])
async def test_no_error_keeps_a_site(
    techdocs: Running, monkeypatch: pytest.MonkeyPatch, error: Any, tries: int
) -> None:
    """An unforeseen one ends a build; a full disk only after some tries."""
    await build_site(techdocs)
    dependencies = techdocs.app.state.dependencies
    is_full = isinstance(error, str)

    async def fail(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, error) if is_full else error

    monkeypatch.setattr(type(dependencies.sources._mirrors), "export", fail)
    await hide(techdocs)
    if is_full:

        async def has_tried() -> bool:
            state = await dependencies.records._all.find_one({"_id": REF})
            return bool(state and state["tries"])

        await until(has_tried, "a first try")
        assert not await is_gone(techdocs)
        tried = {"$set": {"tries": max(tries, PATIENT_TRIES), "not_before": 0}}
        await dependencies.records._all.update_one({"_id": REF}, tried)
    await until(lambda: is_gone(techdocs), "no site")


async def test_what_a_site_was_made_by_outlasts_a_passing_error(
    techdocs: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No event tells of a refused file; and the docs are broken meanwhile."""
    await build_site(techdocs)
    dependencies = techdocs.app.state.dependencies
    generator = type(dependencies.syncing._queue._tools.generator)

    async def fail(*_: Any) -> None:
        raise OSError("passing")

    with monkeypatch.context() as patch:
        patch.setattr(generator, "generate", fail)
        await techdocs.push("box", {"docs/index.md": "# other\n"})
        await techdocs.built("web", status="failed")
    techdocs.catalog.hidden.add(SECRET)
    await techdocs.push("box", {"mkdocs.yml": "site_name: [\n"})
    await until(lambda: is_gone(techdocs), "no site")


async def test_a_site_goes_before_the_next_one_is_made(
    techdocs: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long that takes; then the docs come without what is hidden."""
    await build_site(techdocs)
    dependencies = techdocs.app.state.dependencies
    generator = type(dependencies.syncing._queue._tools.generator)
    generate = generator.generate
    states: list[int] = []

    async def watched(*arguments: Any) -> Any:
        states.append((await techdocs.get(PAGE)).status_code)
        return await generate(*arguments)

    monkeypatch.setattr(generator, "generate", watched)
    await hide(techdocs)
    await until(lambda: bool(states), "a build")
    await techdocs.built("web")
    assert states == [404]
    assert MARK not in await answers(techdocs)
    # Another push is one like any other: the docs stay until theirs are made.
    await techdocs.push("box", {"docs/index.md": "# other\n"})
    await until(lambda: len(states) == 2, "a build")
    assert states == [404, 200]


async def test_an_early_answer_of_a_late_process_is_not_the_last(
    techdocs: Running,
) -> None:
    """The catalog's processes learn of an entity one after another."""
    await build_site(techdocs)
    dependencies = techdocs.app.state.dependencies
    await restrict(techdocs, "docs/secret", **RESTRICTED)

    async def has_checked() -> bool:
        record = await dependencies.records.get(REF)
        return record is not None and record.due == CHECK

    await until(has_checked, "a first check, and another one due")
    assert not await is_gone(techdocs)
    techdocs.catalog.hidden.add(SECRET)

    async def is_hidden() -> bool:
        return MARK not in await answers(techdocs)

    await until(is_hidden, "the site without the page", seconds=3 * SETTLING_SECONDS)
    assert not (await settled(techdocs)).rights_changed


async def test_a_check_prepares_nothing_where_nothing_changed(
    techdocs: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also beside something hidden."""
    techdocs.catalog.hidden.add(SECRET)
    techdocs.host.commit("box", NESTED)
    await techdocs.document("web")
    await techdocs.built("web")
    dependencies = techdocs.app.state.dependencies
    before = await settled(techdocs)
    assert before.looked is not None
    exports: list[Any] = []
    monkeypatch.setattr(
        type(dependencies.sources._mirrors), "export", lambda *a, **_: exports.append(a)
    )
    await dependencies.records.ask([REF], CHECK)
    after = await settled(techdocs)
    assert (after.looked, after.failure, exports) == (before.looked, None, [])


async def test_a_repository_knows_the_sites_that_were_made_from_it(
    techdocs: Running,
) -> None:
    """By any spelling of its name."""
    await build_site(techdocs)
    dependencies = techdocs.app.state.dependencies
    assert await dependencies.records.built_from(f"{HOST}/BOX") == [REF]
    await dependencies.records.located(REF, None)
    change = techdocs.catalog.put(
        component("plan"), **{MANAGED_BY_LOCATION: f"{BLOB}/c.yaml"}, **RESTRICTED
    )
    args = (dependencies.records, dependencies.sources)
    assert await visibility_changed([change], *args) == 1


@pytest.mark.parametrize(
    ("building", "is_away"),
    [("the same docs", False), ("other docs", False), ("the same docs", True)],
)
async def test_no_build_is_waited_for(
    techdocs: Running, monkeypatch: pytest.MonkeyPatch, building: str, *, is_away: bool
) -> None:
    """Whatever the builders do: a site that shows too much goes in seconds."""
    await build_site(techdocs)
    is_same = building == "the same docs"
    generator = type(techdocs.app.state.dependencies.syncing._queue._tools.generator)
    generate = generator.generate
    is_open = asyncio.Event()
    busy: list[str] = []

    async def slow(self: Any, job: Any, say: Any) -> Any:
        busy.append(job.title)
        await is_open.wait()
        return await generate(self, job, say)

    monkeypatch.setattr(generator, "generate", slow)
    names = ["web"] if is_same else ["other", "third"]
    for name in names:
        if not is_same:
            techdocs.host.commit(name, SITE)
            await techdocs.document(name, **{TECHDOCS_REF: reference_of(name)})
    if is_same:
        await techdocs.push("box", {"docs/index.md": "# other\n"})
    await until(lambda: len(busy) == len(names), "builds under way")
    techdocs.catalog.away = is_away
    await hide(techdocs)
    if is_away:
        await asyncio.sleep(1)
        techdocs.catalog.away = False
    await until(lambda: is_gone(techdocs), "no site")
    assert MARK not in await answers(techdocs)
    is_open.set()
    await techdocs.built("web")
    assert MARK not in await answers(techdocs)


def reference_of(repository: str) -> str:
    return f"url:https://{HOST}/{repository}/tree/main/"
