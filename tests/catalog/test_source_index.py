"""What a source holds and who sees it: in slices, once a reader, and never stale."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalog.handlers.catalog_state import CatalogState
from services.catalog.handlers.source_index import SourceIndex
from services.catalog.handlers.source_rights import SourceReader, SourceRights
from services.catalog.handlers.source_views import SourceView
from services.catalog.model import LocationRef, RepositoryPath, StoredEntity
from services.catalog.readmodel import ReadModel
from shared.guards import turns
from tests import builders
from tests.catalog.readmodels import stored

PARENT = "location:default/all"
REPOSITORY = "url:https://git.example/shop"


class CountedSources:
    """Every location lies in the repository `shop`; counts how often that is asked."""

    def __init__(self) -> None:
        self.count = 0

    def source(self, location: LocationRef) -> RepositoryPath:
        self.count += 1
        path = location.target.removeprefix("https://git.example/shop/")
        return RepositoryPath("git.example", "shop", "", path)


def provided(name: str, location: str, revision: int = 1) -> StoredEntity:
    entity = stored(builders.component(name), parents=[PARENT], revision=revision)
    return replace(entity, location=location)


def catalog_of(*entities: StoredEntity) -> CatalogState:
    state = CatalogState(ReadModel(first_revision=0))
    state.put_many(entities)
    return state


async def test_the_index_is_built_in_slices_and_misses_no_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Other tasks run after each slice; changes during the build count."""
    monkeypatch.setattr(turns, "SLICE_SECONDS", 0)
    count = 200
    entities = [provided(f"c{n}", f"{REPOSITORY}/{n}.yaml") for n in range(count)]
    state, sources = catalog_of(*entities), CountedSources()
    index = SourceIndex(sources.source, state.targets, state.emitted)
    state.sources = index
    slices: list[int] = []

    async def watch() -> None:
        before = 0
        while sources.count < count:
            slices.append(sources.count - before)
            before = sources.count
            if len(slices) == 5:
                state.drop("component:default/c1")
                state.drop(f"component:default/c{count - 1}")
                state.put_many([provided("new", f"{REPOSITORY}/new.yaml")])
            await asyncio.sleep(0)

    await asyncio.gather(index.complete(), watch())
    # Two more where something went or came.
    assert max(slices) <= 3
    targets = [
        target
        for target, _ in index.targets(RepositoryPath("git.example", "shop", "", ""))
    ]
    assert sorted(targets) == sorted(state.targets())
    assert (PARENT, f"{REPOSITORY}/new.yaml") in targets
    assert len(targets) == count - 1


async def test_each_entity_is_checked_once_per_reader() -> None:
    """However many paths are requested; once more after a change."""
    entities = [provided(f"c{n}", f"{REPOSITORY}/{n}/a.yaml") for n in range(300)]
    state = catalog_of(*entities)
    rights = SourceRights(state, CountedSources())  # type: ignore[arg-type]
    refs: list[str] = []

    def sees(ref: str) -> bool:
        refs.append(ref)
        return not ref.endswith("7")

    reader = SourceReader(sees, explores=True)

    async def is_readable(path: str) -> bool:
        location = LocationRef("url", f"https://git.example/shop/{path}")
        return await rights.is_readable(location, reader, raw=True)

    answers = [await is_readable(f"{n}/x.txt") for n in range(300)]
    assert answers == [n % 10 != 7 for n in range(300)]
    assert len(refs) == 300
    state.drop("component:default/c7")
    state.put_many([provided("c17", f"{REPOSITORY}/17/a.yaml", revision=2)])
    assert not await is_readable("17/x.txt")
    assert not await is_readable("7/x.txt")
    assert len(refs) == 300 + 299


PATHS = st.lists(st.sampled_from("abc"), max_size=4).map("/".join)


def _dirname(path: str) -> str:
    return "/".join(path.split("/")[:-1])


def _plainly(
    path: str, visible: set[str], hidden: set[str], *, raw: bool
) -> bool | None:
    """The rule in its own words, file by file."""
    inside: Callable[[str], bool] = lambda other: (  # noqa: E731
        not path or other == path or other.startswith(f"{path}/")
    )
    if "" in hidden:
        # The whole source is closed.
        return path in visible
    if raw and any(map(inside, hidden)):
        return False
    if path in hidden - visible:
        return False
    while True:
        if path in map(_dirname, visible):
            return True
        if path in map(_dirname, hidden):
            return False
        if not path:
            return None
        path = _dirname(path)


@given(st.lists(st.tuples(PATHS, st.booleans())), PATHS, st.booleans())
def test_the_index_agrees_with_the_rule_for_any_tree(
    files: list[tuple[str, bool]], path: str, raw: bool
) -> None:
    """For any tree of visible and hidden files, as by comparing with each of them."""
    view = SourceView()
    for file, is_visible in files:
        view.add(RepositoryPath("h", "r", "", file), is_visible=is_visible)
    visible = {file for file, is_visible in files if is_visible}
    hidden = {file for file, is_visible in files if not is_visible}
    place = RepositoryPath("h", "r", "", path)
    assert view.lies_around(place, raw=raw) == _plainly(path, visible, hidden, raw=raw)
    assert (view.has_visible, view.has_hidden) == (bool(visible), bool(hidden))
