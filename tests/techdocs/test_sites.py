"""The store of sites: whole or not at all, and nothing outside."""

import os
from pathlib import Path

import pytest

from services.techdocs.sites import DirectorySites
from shared.contracts.errors import Invalid, NotFound

SITE, OTHER = "a" * 32, "b" * 32


def made(store: DirectorySites, text: str = "hello") -> tuple[Path, Path]:
    workspace = store.workspace()
    out, record = workspace / "out", workspace / "record"
    (out / "sub").mkdir(parents=True)
    record.mkdir()
    (out / "index.html").write_text(text)
    (out / "sub" / "a.txt").write_text(text)
    (record / "site.json").write_text("{}")
    return out, record


@pytest.fixture
def store(tmp_path: Path) -> DirectorySites:
    return DirectorySites(tmp_path / "sites")


def test_a_site_is_published_atomically(store: DirectorySites) -> None:
    """The output is available under its hash, and nowhere before."""
    assert not store.has(SITE)
    store.publish(SITE, *made(store))
    assert store.has(SITE)
    result = store.file(SITE, "sub/a.txt")
    assert result is not None
    assert result.read_text() == "hello"
    assert store.record(SITE, "site.json") == b"{}"


def test_publishing_an_equal_site_twice_keeps_one(store: DirectorySites) -> None:
    """The second publication finds the first."""
    store.publish(SITE, *made(store, "first"))
    store.publish(SITE, *made(store, "second"))
    result = store.file(SITE, "index.html")
    assert result is not None
    assert result.read_text() == "first"


def test_links_are_not_published(store: DirectorySites) -> None:
    """A site cannot point at files of the server."""
    out, record = made(store)
    (out / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(Invalid, match="passwd"):
        store.publish(SITE, out, record)
    assert not store.has(SITE)


@pytest.mark.parametrize(
    "path",
    [
        "../record/site.json",
        "sub/../../record/site.json",
        "..",
        "a\0b",
        "..\\x",
        "nope",
    ],
)
def test_paths_do_not_leave_the_site(store: DirectorySites, path: str) -> None:
    """Neither dots nor backslashes nor zero bytes lead out."""
    store.publish(SITE, *made(store))
    assert store.file(SITE, path) is None


def test_absolute_paths_stay_inside(store: DirectorySites) -> None:
    """A leading slash means the site's top folder."""
    store.publish(SITE, *made(store))
    assert store.file(SITE, "/etc/passwd") is None
    assert store.file(SITE, "//index.html") is not None


def test_site_names_that_are_no_hash_are_unknown(store: DirectorySites) -> None:
    """A site's name is never taken for a path."""
    with pytest.raises(NotFound):
        store.file("../objects", "index.html")
    store.publish(SITE, *made(store))
    with pytest.raises(NotFound):
        store.record(SITE, "../site/index.html")


def test_only_unused_old_sites_are_deleted(store: DirectorySites) -> None:
    """Shown or fresh sites stay; remains of a killed process are deleted."""
    for name in (SITE, OTHER, "c" * 32):
        store.publish(name, *made(store))
    left = store.workspace()
    for path in (*_objects(store, SITE, OTHER), left):
        os.utime(path, (1, 1))
    assert store.collect({SITE}, older_than=3600) == 1
    assert store.has(SITE)
    assert not store.has(OTHER)
    assert store.has("c" * 32)
    assert not left.exists()


def _objects(store: DirectorySites, *names: str) -> list[Path]:
    result = [store.file(name, "index.html") for name in names]
    return [path.parent.parent for path in result if path is not None]


def test_a_site_that_is_published_again_is_not_deleted(store: DirectorySites) -> None:
    """Finding a published site protects it until an entity points to it."""
    store.publish(SITE, *made(store))
    os.utime(_objects(store, SITE)[0], (1, 1))
    assert store.has(SITE)
    assert store.collect(set(), older_than=3600) == 0
