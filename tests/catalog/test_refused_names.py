"""The index of refused names is what the roots say, whatever comes and goes."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalog.handlers.catalog_state import CatalogState
from services.catalog.handlers.refused_names import Release
from services.catalog.ingest.candidates import refused_ref, status_item, taken_error
from services.catalog.model import FileState, LocationRef, RootLocation
from services.catalog.readmodel import ReadModel
from shared.contracts.errors import Conflict, Invalid

NAMES = [f"component:default/{name}" for name in "abc"]
FILES = ["one", "two"]
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)


def root_of(number: int, refused: dict[str, list[str]]) -> RootLocation:
    """A root with files that were refused names; each has another error as well."""
    location = LocationRef("url", f"https://host/{number}")
    files = {}
    for name, refs in refused.items():
        errors = [Invalid("x"), *(taken_error(ref, "another") for ref in refs)]
        items = tuple(map(status_item, errors))
        parent = location.entity_ref
        files[parent, name] = FileState(parent, name, None, errors=items)
    created = BEGIN + timedelta(days=number)
    return RootLocation(location, frozenset({"registered"}), created, files=files)


refusals = st.dictionaries(
    st.sampled_from(FILES), st.lists(st.sampled_from(NAMES), unique=True)
)
steps = st.lists(st.tuples(st.integers(0, 3), st.none() | refusals), max_size=20)


@given(steps)
def test_the_index_has_the_refusals_of_all_roots(
    steps: list[tuple[int, dict[str, list[str]] | None]],
) -> None:
    """Roots are put, put again and dropped in any order."""
    state = CatalogState(ReadModel())
    roots: dict[str, dict[str, list[str]]] = {}
    for number, refused in steps:
        root = root_of(number, refused or {})
        if refused is None:
            state.drop_root(root.name)
            roots.pop(root.name, None)
        else:
            state.put_root(root)
            roots[root.name] = refused
    for ref in NAMES:
        expected = {
            name: {file for file, refs in refused.items() if ref in refs}
            for name, refused in roots.items()
        }
        targets = state.refused.targets(ref)
        files_by_root = {
            name: {file for _, file in keys} for name, keys in targets.items()
        }
        assert files_by_root == {
            name: files for name, files in expected.items() if files
        }
        assert (ref in state.refused) == bool(files_by_root)


@pytest.mark.parametrize(
    ("error", "ref"),
    [
        (taken_error("component:default/a", "url:https://host/x"), NAMES[0]),
        (taken_error("component:default/a", "another location"), NAMES[0]),
        (Conflict("component:default/a: changed by others"), None),
        (Invalid("component:default/a: is already provided by x"), None),
    ],
)
def test_a_refused_name_is_read_from_its_status_item(
    error: Conflict | Invalid, ref: str
) -> None:
    """Also from an item of an earlier version: it has the refused name."""
    assert refused_ref(status_item(error)) == ref


async def test_only_releasing_a_refused_name_triggers_a_takeover() -> None:
    """Nothing is noted before the start is complete; names free by then are."""
    state = CatalogState(ReadModel())
    state.put_root(root_of(1, {"one": [NAMES[0]]}))
    state.refused.release(NAMES[0], is_own=True)
    assert state.refused.take() == []
    state.refused.activate(lambda ref: ref == NAMES[0])
    assert [release.ref for release in state.refused.take()] == [NAMES[0]]
    state.refused.release(NAMES[1], is_own=True)
    assert state.refused.take() == []
    with state.refused.withhold(NAMES[0]):
        state.refused.release(NAMES[0], is_own=True)
        assert state.refused.take() == []
    assert [release.ref for release in state.refused.take()] == [NAMES[0]]


@pytest.mark.parametrize("tries", [0, 9, 1024, 10**6])
async def test_takeovers_are_retried_without_end(
    tries: int,
) -> None:
    """The pause stops growing; no number of attempts ends a process's takeovers."""
    state = CatalogState(ReadModel())
    state.put_root(root_of(1, {"one": [NAMES[0]]}))
    state.refused.activate(lambda _: False)
    now = asyncio.get_running_loop().time()
    state.refused.retry(Release(NAMES[0], now, is_own=True, tries=tries))
    assert state.refused.take() == []
