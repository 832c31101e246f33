"""Descriptors that are links: a reading lists the tree of a commit once for all."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from services.catalog.model import LocationRef
from services.catalog.readers.reading import CatalogSources
from shared.guards.foreign_trees import ForeignEntry, TreeIndex
from shared.kit.config.integrations import Integration, Integrations
from shared.kit.git import tree_listings
from shared.kit.git.mirrors import RepositoryMirrors
from shared.kit.git.tree_listings import TreeIndexes, TreeListings
from shared.kit.git.url_reader import UrlReader
from tests.rawtrees import RawRepository
from tests.shared.exporting import tree_of

HOST = "git.example"
LINKS = 20


async def test_links_of_one_commit_are_one_listing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is followed in it, also for a reader who may not see everything."""
    raw = RawRepository(tmp_path / "shop.git")
    files: dict[str, Any] = {f"link-{n}.yaml": ("./real.yaml",) for n in range(LINKS)}
    raw.commit(tree_of(raw, {**files, "real.yaml": "a: 1\n"}))
    listings = 0
    listed = TreeListings.listing

    async def listing(self: TreeListings, treeish: str, *, limit: int) -> Any:
        nonlocal listings
        listings += 1
        return await listed(self, treeish, limit=limit)

    monkeypatch.setattr(TreeListings, "listing", listing)
    hosts = Integrations(local=[Integration(host=HOST, directory=tmp_path)])
    mirrors = RepositoryMirrors(tmp_path / "mirrors", hosts)
    sources = CatalogSources(UrlReader([], mirrors), [])

    async def hidden(paths: object) -> list[str]:
        return []

    address = f"https://{HOST}/shop/blob/main/"
    for count in (1, 2):
        reading = sources.reading()
        files_read = await asyncio.gather(
            *(
                reading.read(
                    LocationRef("url", f"{address}{path}"), hidden_paths=hidden
                )
                for path in files
            )
        )
        assert {file.body for file in files_read} == {b"a: 1\n"}
        assert {file.links[-1].path for file in files_read} == {"real.yaml"}
        assert listings == count


async def test_the_last_trees_alone_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The last one in any case; a tree whose listing fails is listed again."""
    monkeypatch.setattr(tree_listings, "MOST_INDEXED", 10)
    indexes, names = TreeIndexes(), list[str]()

    async def index(name: str, size: int) -> TreeIndex:
        async def make() -> TreeIndex:
            names.append(name)
            if not size:
                raise OSError("no")
            return TreeIndex([ForeignEntry(f"{n}") for n in range(size)], {})

        return await indexes.get((Path("mirror"), name), make)

    for name, size in (("a", 4), ("b", 4), ("a", 4), ("c", 4), ("b", 4), ("d", 40)):
        assert len((await index(name, size)).entries) == size
    await index("d", 40)
    await index("a", 4)
    for _ in range(2):
        with pytest.raises(OSError, match="no"):
            await index("e", 0)
    assert names == ["a", "b", "c", "d", "a", "e", "e"]
