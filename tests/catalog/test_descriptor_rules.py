"""The rules of every entity: each problem names its field and the rule."""

from typing import Any

import pytest

from services.catalog.ingest.candidates import check_document
from services.catalog.ingest.problems import FILE_ITEMS, items_of_file
from services.catalog.ingest.refusals import Refusal
from shared.contracts.errors import Invalid
from tests import builders
from tests.costs import limit_processor_time

VALID = [
    builders.component(),
    builders.api(),
    builders.group(),
    builders.user(),
    builders.system(),
    builders.template(),
    builders.entity("Domain", "d", {"owner": "a", "subdomainOf": "b", "type": "x"}),
    builders.entity("Resource", "r", {"owner": "a", "type": "database"}),
    builders.entity("Location", "l", {"type": "url"}),
    builders.entity(
        "API",
        "m",
        {
            "type": "mcp-server",
            "lifecycle": "production",
            "owner": "a",
            "remotes": [{"type": "http", "url": "https://example.org"}],
        },
    ),
]


@pytest.mark.parametrize("entity", VALID, ids=lambda e: e["metadata"]["name"])
def test_a_valid_entity_of_each_kind_passes(entity: dict[str, Any]) -> None:
    """The builders' entities satisfy the rules."""
    valid, _ = check_document(entity)
    assert valid.namespace == "default"


METADATA = [
    ({"name": "-odd"}, "metadata.name", "separated by [-_.]"),
    ({"name": "bad name!"}, "metadata.name", "separated by"),
    ({"name": "a" * 64}, "metadata.name", "1-63"),
    ({"name": ""}, "metadata.name", "must not be empty"),
    ({"name": 123}, "metadata.name", "must be a string"),
    ({"namespace": "a.b"}, "metadata.namespace", "[a-z0-9]"),
    ({"namespace": "Upper"}, "metadata.namespace", "[a-z0-9]"),
    ({"namespace": ""}, "metadata.namespace", "must not be empty"),
    ({"title": ""}, "metadata.title", "must not be empty"),
    ({"title": 5}, "metadata.title", "must be a string"),
    ({"description": 5}, "metadata.description", "must be a string"),
    ({"labels": {"a b": "x"}}, "metadata.labels.a b", "[prefix/]name"),
    ({"labels": {"a": "has spaces"}}, "metadata.labels.a", "empty or sequences"),
    ({"labels": {"a": 1}}, "metadata.labels.a", "must be a string"),
    ({"labels": {"<<": {"a": "b"}}}, "metadata.labels.<<", "merges are not read"),
    ({"annotations": {"<<": [{}]}}, "metadata.annotations.<<", "write the keys out"),
    ({"labels": {"<<": 1}}, "metadata.labels.<<", "must be a string"),
    ({"annotations": {"a": None}}, "metadata.annotations.a", "must be a string"),
    ({"annotations": {"a/b/c": "x"}}, "metadata.annotations.a/b/c", "[prefix/]name"),
    ({"annotations": []}, "metadata.annotations", "must be an object"),
    *(
        (
            {"annotations": {key: text}},
            f"metadata.annotations.{key}",
            "must be public or",
        )
        for key, text in [
            ("callboard.dev/visibility", " restricted "),
            ("callboard.dev/visibility", "restricted\n"),
            ("callboard.dev/visibility", "restricted\u200b"),
            ("callboard.dev/visibility", "restrcited"),
            ("callboard.dev/visibility", "private"),
            ("callboard.dev/Visibility", "internal"),
        ]
    ),
    (
        {"labels": {"callboard.dev/visibility": "restricted"}},
        "metadata.labels.callboard.dev/visibility",
        "must be an annotation",
    ),
    ({"tags": None}, "metadata.tags", "must be a list"),
    ({"tags": "x"}, "metadata.tags", "must be a list"),
    ({"tags": [1]}, "metadata.tags.0", "must be a string"),
    ({"tags": ["ok", "Bad Tag"]}, "metadata.tags.1", "[a-z0-9:+#]"),
    ({"tags": ["t" * 64]}, "metadata.tags.0", "1-63"),
    ({"tags": ["☕"]}, "metadata.tags.0", "[a-z0-9:+#]"),
    ({"links": [{"url": ""}]}, "metadata.links.0.url", "absolute URL"),
    ({"links": [{"url": "not a url"}]}, "metadata.links.0.url", "absolute URL"),
    ({"links": [{"url": "https://"}]}, "metadata.links.0.url", "absolute URL"),
    ({"links": [{}]}, "metadata.links.0.url", "is required"),
    ({"links": [{"url": None}]}, "metadata.links.0.url", "is required"),
    ({"links": [{"url": "x:y", "title": " "}]}, "links.0.title", "not blank"),
]


@pytest.mark.parametrize(("metadata", "field", "rule"), METADATA)
def test_metadata_that_breaks_a_rule_is_refused(
    metadata: dict[str, Any], field: str, rule: str
) -> None:
    """The error names the wrong field of metadata and the rule."""
    with pytest.raises(Invalid) as error:
        check_document(builders.component(metadata=metadata))
    assert field in error.value.message
    assert rule in error.value.message


@pytest.mark.parametrize(
    "metadata",
    [
        {"tags": ["c++", "c#", "a:b", "a-b"]},
        {"labels": {"plain": "v", "example.com/a": ""}},
        {"annotations": None},
        {"annotations": {"a": "any thing at all ☕"}},
        {"links": [{"url": "mailto:a@b.c"}, {"url": "javascript:alert(1)"}]},
        {"description": ""},
        {"name": "a.b_c-D"},
        {"custom": {"a": 1}},
        {"namespace": None},
    ],
)
def test_unusual_metadata_that_backstage_accepts_is_accepted(
    metadata: dict[str, Any],
) -> None:
    """Callboard accepts the metadata that Backstage accepts."""
    check_document(builders.component(metadata=metadata))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"relations": []}, "relations: unknown field"),
        ({"status": {}}, "status: unknown field"),
        ({"owner": "a"}, "owner: unknown field"),
        ({"spec": None}, "spec: must be an object"),
        ({"spec": []}, "spec: must be an object"),
        ({"apiVersion": None}, "apiVersion: is required"),
        ({"apiVersion": "a/b/c"}, "apiVersion: must be [prefix/]suffix"),
        ({"apiVersion": "example.org/v1"}, "apiVersion 'example.org/v1'"),
        ({"metadata": "x"}, "metadata: must be an object"),
        ({"kind": 5}, "kind: must be a string"),
    ],
)
def test_a_root_field_that_breaks_a_rule_is_refused(
    change: dict[str, Any], problem: str
) -> None:
    """The root of an entity holds the known fields and nothing else."""
    with pytest.raises(Invalid) as error:
        check_document({**builders.component(), **change})
    assert problem in error.value.message


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (8, "must be a string, found a number: put it in quotes"),
        (False, "must be a string, found a boolean: put it in quotes"),
        (None, "must be a string, found nothing"),
        (["a"], "must be a string, found a list"),
        ({"a": 1}, "must be a string, found an object"),
    ],
)
def test_a_value_that_is_no_string_is_named(value: Any, problem: str) -> None:
    """The error says which value it is, and how to write it as a string."""
    with pytest.raises(Invalid) as error:
        check_document(
            builders.component(metadata={"annotations": {"a.example/b": value}})
        )
    assert f"metadata.annotations.a.example/b: {problem}" in error.value.message


def test_a_document_that_is_no_object_is_refused() -> None:
    """The error says that the root must be an object, and names the type found."""
    with pytest.raises(Invalid, match="must be an object at its root, found a list"):
        check_document(["a"])


def test_all_problems_of_an_entity_are_reported_at_once() -> None:
    """An author sees every mistake after one reading."""
    with pytest.raises(Invalid) as error:
        check_document(builders.component(metadata={"title": "", "tags": ["A"]}))
    assert "metadata.title" in error.value.message
    assert "metadata.tags.0" in error.value.message


def test_an_entity_that_is_not_json_is_refused() -> None:
    """The schemas of kinds can only check JSON."""
    with pytest.raises(Invalid, match="cannot be JSON"):
        check_document(builders.component(odd={1: 2}))


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"spec": {"rows": [[1]] * 25_001}}, "spec.rows"),
        ({"metadata": {"tags": [f"t{n}" for n in range(50_001)]}}, "metadata.tags"),
        ({"spec": {"a": [1] * 26_000, "b": [1] * 26_000}}, "the entity"),
    ],
)
def test_an_entity_with_too_many_values_is_refused(
    fields: dict[str, Any], place: str
) -> None:
    """Each value would be indexed; a group of 40,000 members is accepted."""
    entity = builders.component()
    for part, more in fields.items():
        entity[part].update(more)
    with pytest.raises(Invalid, match=f"{place}: more than 50000 elements"):
        check_document(entity)
    members = [f"user:default/u{number}" for number in range(40_000)]
    check_document(
        builders.entity(
            "Group", "all", {"type": "x", "children": [], "members": members}
        )
    )


def test_errors_of_many_refused_documents_are_cut() -> None:
    """A file may have 100,000 documents: the status counts the ones left out."""
    refusals = [
        Refusal(None, Invalid(f"problem {number}")) for number in range(100_000)
    ]
    with limit_processor_time(1):
        items = items_of_file(refusals)
    assert len(items) == FILE_ITEMS + 1
    assert items[-1]["message"].endswith(f"and {100_000 - FILE_ITEMS:,} more errors")
    assert len(items_of_file(refusals[:FILE_ITEMS])) == FILE_ITEMS
