"""Closed files are noted before the entities go that they are closed for."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from services.catalog.model import ClosedFile, RepositoryPath
from services.catalog.store.documents import root_document, stored_root
from tests import builders
from tests.catalog.planned import Files, PlannedCatalog
from tests.catalog.test_planning import CART, RESTRICTED, ROOT


@pytest.mark.parametrize("content", [[], [CART]], ids=["emptied", "another"])
async def test_what_was_not_noted_when_it_came_is_noted_before_it_goes(
    content: list[Any],
) -> None:
    """As after a kill, or of an earlier version: first the root, then the deletion."""
    catalog = PlannedCatalog(ROOT)
    files: Files = {"first.yaml": [builders.component("web", RESTRICTED)]}
    await catalog.read(ROOT, files)
    root = catalog.roots[ROOT.name]
    assert set(root.closed) == {"component:default/web"}
    catalog.roots[ROOT.name] = replace(root, closed={})
    start = len(catalog.state.plans)
    await catalog.read(ROOT, {"first.yaml": content})
    plans = catalog.state.plans[start:]
    deletion = next(n for n, plan in enumerate(plans) if plan.deletions)
    roots = [plan.root for plan in plans[:deletion] if plan.root is not None]
    assert [set(noted.closed) for noted in roots] == [{"component:default/web"}]
    is_closed = bool(catalog.roots[ROOT.name].closed)
    assert is_closed == (not content)


def test_closed_files_that_an_earlier_version_stored_are_read() -> None:
    """It stored neither what they include, nor whether they are copies."""
    place = RepositoryPath("git.example", "web", "", "first.yaml", folds_case=True)
    file = ClosedFile("url:https://git.example/first.yaml", place, None, "c0ffee")
    extended = replace(file, includes=("texts/api.md",), is_copy=True)
    root = replace(ROOT, closed={"component:default/web": extended})
    document = root_document(root)
    assert stored_root(document) == root
    items = orjson.loads(document["closed"])
    earlier = {name: item[:4] for name, item in items.items()}
    document["closed"] = orjson.dumps(earlier).decode()
    assert stored_root(document).closed == {"component:default/web": file}
