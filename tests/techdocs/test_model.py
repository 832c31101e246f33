"""Where an entity's docs are, and what a push touches."""

from datetime import UTC, datetime, timedelta

import pytest

from services.techdocs.annotations import alias_of
from services.techdocs.handlers.reading import _existing_path
from services.techdocs.model import (
    Documented,
    retained,
    stored_entity,
    touches,
)
from shared.contracts.docs_sources import DocsSource, source_of
from shared.contracts.entity import Entity
from shared.contracts.errors import Invalid
from tests.builders import api, component

REF = "backstage.io/techdocs-ref"
MANAGED = "backstage.io/managed-by-location"
SOURCE = "backstage.io/source-location"
BLOB = "url:https://git.example/shop/blob/main/catalog-info.yaml"


def annotated(**values: str) -> Entity:
    keys = {"ref": REF, "managed": MANAGED, "source": SOURCE}
    annotations = {keys[key]: value for key, value in values.items()}
    return Entity(component(metadata={"annotations": annotations}))


@pytest.mark.parametrize(
    ("annotations", "source"),
    [
        (
            {"ref": "dir:.", "managed": BLOB},
            DocsSource("url", BLOB[4:], ".", base_is_folder=False),
        ),
        (
            {"ref": "dir:x", "managed": BLOB, "source": "url:https://h/r/tree/main/"},
            DocsSource("url", "https://h/r/tree/main/", "x"),
        ),
        (
            {"ref": "url:https://h/r/tree/main/docs", "managed": BLOB},
            DocsSource("url", "https://h/r/tree/main/docs"),
        ),
        (
            {"ref": "dir:./more", "managed": "file:/data/shop/catalog-info.yaml"},
            DocsSource("dir", "/data/shop/more", top="/data/shop"),
        ),
    ],
)
def test_the_source_of_docs_follows_the_annotation(
    annotations: dict[str, str], source: DocsSource
) -> None:
    """`dir:` starts at the source or the descriptor, `url:` is a complete address."""
    assert source_of(annotated(**annotations)) == source


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        ({}, "No backstage.io/techdocs-ref annotation provided in entity: web"),
        ({"ref": "dir:."}, "managed-by-location: is missing"),
        ({"ref": "docs"}, "must be of the form type:target"),
        ({"ref": "s3:bucket", "managed": BLOB}, "'s3' is not known"),
        (
            {"ref": "dir:../..", "managed": "file:/data/shop/catalog-info.yaml"},
            "leaves the folder",
        ),
        ({"ref": "dir:/etc", "managed": "file:/data/a.yaml"}, "leaves the folder"),
        (
            {"ref": "dir:.", "managed": BLOB, "source": "file:/etc"},
            "source-location: must be a url:",
        ),
        (
            {"ref": "dir:.", "managed": "file:/data/a.yaml", "source": "file:/etc"},
            "leaves the folder",
        ),
    ],
)
def test_an_invalid_source_is_an_error_that_names_it(
    annotations: dict[str, str], message: str
) -> None:
    """An annotation with an invalid target, or with one outside."""
    with pytest.raises(Invalid, match=message):
        source_of(annotated(**annotations))


def test_an_entity_may_show_the_docs_of_another() -> None:
    """`techdocs-entity` is a ref, completed from the entity that has it."""
    entity = component(
        metadata={"annotations": {"backstage.io/techdocs-entity": "Web"}}
    )
    assert alias_of(Entity(entity)) == "component:default/web"


def test_large_fields_of_an_entity_are_not_stored() -> None:
    """Fields for policy and pages stay; an API's definition does not."""
    stored = stored_entity(Entity(api()))
    assert stored.owner == "team-a"
    assert "definition" not in stored.spec


@pytest.mark.parametrize(
    ("watched", "folder", "changed", "expected"),
    [
        (None, "", ["src/a.py"], True),
        (None, "team/docs", ["src/a.py"], False),
        (("mkdocs.yml", "docs"), "", ["src/a.py"], False),
        (("mkdocs.yml", "docs"), "", ["docs/a/b.md"], True),
        (("mkdocs.yml", "docs"), "", ["docs2/a.md"], False),
        (("mkdocs.yml", "docs"), "", ["mkdocs.yml"], True),
        (("",), "", ["src/a.py"], True),
        (("docs",), "", None, True),
    ],
)
def test_a_push_concerns_the_files_of_a_site_only(
    watched: tuple[str, ...] | None,
    folder: str,
    changed: list[str] | None,
    expected: bool,
) -> None:
    """A push to other files is no reason for a check."""
    record = Documented(
        "component:default/web", 1, Entity(component()), watched=watched
    )
    assert touches(record, folder, changed) is expected


def test_the_latest_sites_are_kept_until_they_expire() -> None:
    """The last ones stay, and none that is too old."""
    now = datetime(2026, 1, 10, tzinfo=UTC)
    history = [(str(days), now - timedelta(days=days)) for days in (1, 2, 3, 9)]
    assert [name for name, _ in retained(history, now, last=2, days=7)] == ["1", "2"]
    assert len(retained(history, now, last=9, days=7)) == 3


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("", "b"),
        ("b", "b"),
        ("a b", "a%20b"),
        ("c%23", "c#"),
        ("c#", "c#"),
        ("no", None),
    ],
)
def test_pages_are_found_by_their_requested_path(path: str, page: str | None) -> None:
    """Sites of earlier versions are read until they are built again."""
    assert _existing_path(path, {"b": {}, "a%20b": {}, "c#": {}}) == page
