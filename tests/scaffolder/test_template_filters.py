"""The scaffolder's own filters: repository URLs and refs, and what they refuse."""

from typing import Any

import pytest

from services.scaffolder.dialect.failure import TemplateRenderError
from services.scaffolder.dialect.values import UNDEFINED
from services.scaffolder.templates.filters import parse_place, template_filters
from shared.contracts.errors import Invalid
from tests.scaffolder.dialect.expressions import evaluate

PLACES = [
    ("h.example?owner=o&repo=r", {"host": "h.example", "owner": "o", "repo": "r"}),
    ("https://H.example?repo=r", {"host": "h.example", "repo": "r"}),
    ("h.example/path?repo=r", {"host": "h.example", "repo": "r"}),
    ("h:8080?repo=r", {"host": "h:8080", "repo": "r"}),
    ("h?owner=a%2Fb&repo=r", {"host": "h", "owner": "a/b", "repo": "r"}),
    (
        "dev.azure.com?organization=o&project=p&repo=r",
        {"host": "dev.azure.com", "organization": "o", "project": "p", "repo": "r"},
    ),
    (
        "bitbucket.org?workspace=w&project=p&repo=r",
        {"host": "bitbucket.org", "project": "p", "workspace": "w", "repo": "r"},
    ),
    ("h?repo=r&repo=s&unknown=x", {"host": "h", "repo": "r"}),
]
REFS = [
    ("'user:ann'", {"kind": "user", "namespace": "default", "name": "ann"}),
    ("'User:Team/Ann'", {"kind": "User", "namespace": "Team", "name": "Ann"}),
    (
        "'ann' | parseEntityRef({defaultKind: 'user', defaultNamespace: 'x'})",
        {"kind": "user", "namespace": "x", "name": "ann"},
    ),
    (
        "{kind: 'user', name: 'ann'}",
        {"kind": "user", "namespace": "default", "name": "ann"},
    ),
    (
        "{name: 'ann'} | parseEntityRef({defaultKind: 'user'})",
        {"kind": "user", "namespace": "default", "name": "ann"},
    ),
]


@pytest.mark.parametrize(("url", "parts"), PLACES)
def test_a_repository_url_is_split_into_its_parts(
    url: str, parts: dict[str, str]
) -> None:
    """As the repository picker writes it, for every kind of host."""
    assert evaluate("url | parseRepoUrl", url=url) == parts
    assert parse_place(url).document() == parts


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("", "no host"), ("?repo=r", "no host"), ("a b?repo=r", "no host"),
        ("h", "no repo"), ("h?owner=o", "no repo"), ("h?repo=", "no repo"),
    ],
)  # fmt: skip
def test_an_invalid_repository_url_says_what_is_missing(url: str, rule: str) -> None:
    """The error has the expected form."""
    with pytest.raises(Invalid, match=f"repoUrl: {rule} in .*host.owner=o&repo=r"):
        parse_place(url)
    with pytest.raises(TemplateRenderError, match=rule):
        evaluate("url | parseRepoUrl", url=url)


@pytest.mark.parametrize(("expression", "parts"), REFS)
def test_an_entity_ref_is_split_into_its_parts(
    expression: str, parts: dict[str, str]
) -> None:
    """Of a text or an object, completed by what is given."""
    if "parseEntityRef" not in expression:
        expression += " | parseEntityRef"
    assert evaluate(expression) == parts


@pytest.mark.parametrize(
    ("expression", "rule"),
    [
        ("'ann' | parseEntityRef", "missing or empty kind"),
        ("'a:b/' | parseEntityRef", "was not on the form"),
        ("5 | parseEntityRef", "an entity ref is a string"),
        ("'a:b' | parseEntityRef('user')", "an entity ref is a string"),
        ("{name: 'a'} | parseEntityRef", "an entity ref needs kind and name"),
        ("{kind: 1, name: 'a'} | parseEntityRef", "an entity ref needs kind and name"),
        ("long | parseEntityRef", "up to 2000 letters"),
        ("5 | parseRepoUrl", "a repository URL is a string"),
        ("long | parseRepoUrl", "up to 2000 letters"),
        ("'h?repo=r' | projectSlug", "the repository URL has no owner"),
    ],
)
def test_a_wrong_value_is_an_error_with_the_rule(expression: str, rule: str) -> None:
    """Which the author of the template reads."""
    with pytest.raises(TemplateRenderError, match=rule):
        evaluate(expression, long="a" * 2_001)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("{a: 1} | pick('a')", 1),
        ("{a: 1} | pick('b')", UNDEFINED),
        ("'text' | pick('length')", UNDEFINED),
        ("[1] | pick(0)", UNDEFINED),
        ("{'1': 'one'} | pick(1)", "one"),
    ],
)
def test_pick_takes_members_of_objects_only(expression: str, expected: Any) -> None:
    """No attribute of Python can be picked."""
    assert evaluate(expression) == expected


def test_every_filter_is_documented_with_an_example_that_works() -> None:
    """`/v2/templating-extensions` shows them to authors."""
    for template_filter in template_filters():
        document = template_filter.document()
        assert document["description"].endswith(".")
        assert document["schema"]["input"]
        [example] = document["examples"]
        assert f"| {template_filter.name}" in example["example"]
        assert example["notes"].startswith("- **Input**: `")
