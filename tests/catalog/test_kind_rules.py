"""The rules and relations of kinds: the built-in ones, templates, and own ones."""

from typing import Any

import pytest

from services.catalog.descriptor.kinds import (
    PROBLEMS_NAMED,
    Kind,
    built_in_kinds,
    read_kind,
)
from services.catalog.ingest.candidates import check_document
from services.catalog.ingest.refusals import BrokenFields
from shared.contracts.errors import Invalid
from shared.guards.yaml_text import dump_yaml, load_yaml
from tests import builders

SPECS = [
    ("Component", {"lifecycle": "x", "owner": "a"}, "spec.type: is required"),
    ("Component", {"type": "x", "lifecycle": "x"}, "spec.owner: is required"),
    ("Component", {"type": "", "lifecycle": "x", "owner": "a"}, "spec.type: must not"),
    (
        "Component",
        {"type": "x", "lifecycle": "x", "owner": "a", "providesApis": "b"},
        "spec.providesApis: must be a list",
    ),
    (
        "Component",
        {"type": "x", "lifecycle": "x", "owner": "a", "dependsOn": ["other"]},
        "spec.dependsOn.0: Entity reference 'other' had missing or empty kind",
    ),
    ("API", {"type": "x", "lifecycle": "x", "owner": "a"}, "spec.definition: is"),
    (
        "API",
        {"type": "x", "lifecycle": "x", "owner": "a", "definition": {}},
        "spec.definition: must be a string",
    ),
    (
        "API",
        {"type": "mcp-server", "lifecycle": "x", "owner": "a", "remotes": []},
        "spec.remotes: must have 1 at least",
    ),
    ("User", {}, "spec.memberOf: is required"),
    ("User", {"memberOf": [], "profile": {"email": 1}}, "spec.profile.email: must be"),
    ("Group", {"type": "team"}, "spec.children: is required"),
    ("Resource", {"owner": "x"}, "spec.type: is required"),
    ("System", {}, "spec.owner: is required"),
    ("Location", {"presence": "maybe"}, "spec.presence: must be one of required"),
    (
        "component",
        {"type": "x"},
        "'backstage.io/v1alpha1'; the kind is written Component",
    ),
    (
        "Template",
        {},
        "'backstage.io/v1alpha1'; a Template of scaffolder.backstage.io/v1beta3 has",
    ),
    ("9x", {}, "kind: must be a letter"),
]


@pytest.mark.parametrize(("kind", "spec", "problem"), SPECS)
def test_a_spec_that_breaks_a_rule_is_refused(
    kind: str, spec: dict[str, Any], problem: str
) -> None:
    """The error names the wrong field of the kind's spec and the rule."""
    with pytest.raises(Invalid) as error:
        check_document(builders.entity(kind, "x", spec))
    assert problem in error.value.message


def problems_of(entity: dict[str, Any], *kinds: Kind) -> list[str]:
    """The problems of a broken entity; `kinds` are own ones."""
    every = {**built_in_kinds(), **{kind.name: kind for kind in kinds}}
    with pytest.raises(BrokenFields) as error:
        check_document(entity, None, every)
    return list(error.value.problems)


def test_every_broken_ref_is_named_by_its_place() -> None:
    """Beside the schema's problems, as numbered in the file: refs are sorted later."""
    wrong = ["resource:", "component:a", "alone", ""]
    schema, empty, formless, kindless = problems_of(
        builders.component(owner=3, dependsOn=wrong)
    )
    assert schema == "spec.owner: must be a string, found a number: put it in quotes"
    assert empty == "spec.dependsOn.3: must not be empty"
    assert formless.startswith("spec.dependsOn.0: Entity reference 'resource:' was not")
    assert kindless.startswith("spec.dependsOn.2: Entity reference 'alone' had missing")


@pytest.mark.parametrize("wrong", ["alone", 5])
def test_of_very_many_broken_refs_the_first_are_named(wrong: Any) -> None:
    """An error of a file can be shown whole, whichever rule its list breaks."""
    *problems, last = problems_of(builders.component(dependsOn=[wrong] * 30_000))
    assert len(problems) == PROBLEMS_NAMED
    assert all(problem.startswith("spec.dependsOn.") for problem in problems)
    assert last == f"and {30_000 - PROBLEMS_NAMED:,} more"


def test_an_error_repeats_the_beginning_of_a_very_long_ref() -> None:
    """It is shown on pages and stored with its location."""
    [problem] = problems_of(builders.component(dependsOn=["x" * 100_000]))
    assert len(problem) < 500
    assert "xxx'… had missing" in problem


def test_a_template_of_an_older_version_is_refused() -> None:
    """Templates are v1beta3; a step needs its action."""
    old = {**builders.template(), "apiVersion": "backstage.io/v1beta2"}
    with pytest.raises(
        Invalid, match=r"'Template' .*v1beta2'; a Template of .*v1beta3 has other"
    ):
        check_document(old)
    with pytest.raises(Invalid, match=r"spec\.steps\.0\.action: is required"):
        check_document(builders.template(steps=[{"id": "a"}]))


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"output": {"a": None}}, r"spec\.output\.a: must be a string"),
        ({"output": {"links": 5}}, r"spec\.output\.links: must be a list"),
        ({"steps": [{"action": "debug:log", "each": 5}]}, r"spec\.steps\.0\.each: "),
        ({"secrets": "x"}, r"spec\.secrets: must be an object"),
        ({"secrets": {"schema": []}}, r"spec\.secrets\.schema: must be an object"),
        ({"presentation": 5}, r"spec\.presentation: must be an object"),
        ({"formDecorators": {}}, r"spec\.formDecorators: must be a list"),
        ({"EXPERIMENTAL_recovery": []}, r"spec\.EXPERIMENTAL_recovery: must be an"),
    ],
)
def test_a_template_that_cannot_run_is_refused(
    fields: dict[str, Any], rule: str
) -> None:
    """The catalog checks a template as the scaffolder reads it."""
    with pytest.raises(Invalid, match=rule):
        check_document(builders.template(**fields))


def relations(entity: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {(r.type, r.target, r.inverse) for r in check_document(entity)[1]}


def test_relation_refs_get_the_default_kind_and_namespace() -> None:
    """The field's default kind and the entity's own namespace."""
    entity = builders.component(
        metadata={"namespace": "shop"},
        owner="Team-A",
        system="default/web",
        subcomponentOf="mono",
        providesApis=["orders"],
        consumesApis=["other/pay"],
        dependsOn=["resource:db"],
        dependencyOf=["Component:default/front"],
    )
    assert relations(entity) == {
        ("ownedBy", "group:shop/team-a", "ownerOf"),
        ("partOf", "system:default/web", "hasPart"),
        ("partOf", "component:shop/mono", "hasPart"),
        ("providesApi", "api:shop/orders", "apiProvidedBy"),
        ("consumesApi", "api:other/pay", "apiConsumedBy"),
        ("dependsOn", "resource:shop/db", "dependencyOf"),
        ("dependencyOf", "component:default/front", "dependsOn"),
    }


def test_people_relate_both_ways() -> None:
    """Groups and users relate by parents, children and members."""
    team = builders.group(parent="all", children=["sub"], members=["ann"])
    assert relations(team) == {
        ("childOf", "group:default/all", "parentOf"),
        ("parentOf", "group:default/sub", "childOf"),
        ("hasMember", "user:default/ann", "memberOf"),
    }
    assert relations(builders.user()) == {
        ("memberOf", "group:default/team-a", "hasMember")
    }


def test_an_owner_ref_of_too_many_parts_makes_no_relation() -> None:
    """The ref is accepted, but it relates to no entity."""
    assert relations(builders.component(owner="a:b:c/d/e")) == set()


def test_reordered_refs_are_no_change() -> None:
    """Lists of refs are stored sorted, so that reordering them changes nothing."""
    one = builders.component(dependsOn=["resource:b", "component:a"])
    valid, _ = check_document(one)
    assert valid.spec["dependsOn"] == ["component:a", "resource:b"]


OWN_KIND = """
kind: Ship
versions: [harbour.example/v1]
schema:
  type: object
  required: [berth]
  properties:
    berth: {type: string, minLength: 1, pattern: "^[A-Z]"}
    crew: {type: array, maxItems: 2, items: {type: string}}
    draught: {type: [number, string]}
    fuel: {oneOf: [{const: diesel}, {const: wind}]}
relations:
  berth: {type: liesAt, inverse: holds, kind: Resource}
"""


def test_a_file_defines_a_further_kind() -> None:
    """A schema and relations; a schema's rules have the validator's messages."""
    kind = read_kind(OWN_KIND, "ship.yaml")
    assert kind.versions == {"harbour.example/v1"}
    assert kind.relations["berth"].inverse == "holds"
    assert kind.spec.problems({"berth": "A1", "fuel": "wind"}) == []
    wrong = {"crew": ["a", 1, "c"], "draught": [], "fuel": "coal", "berth": "a1"}
    assert [problem.partition(":")[0] for problem in kind.spec.problems(wrong)] == [
        "spec.berth",
        "spec.crew",
        "spec.crew.1",
        "spec.draught",
        "spec.fuel",
    ]
    assert kind.spec.problems({}) == ["spec.berth: is required"]


def test_a_ref_of_an_own_kind_that_is_no_text_is_named() -> None:
    """Its schema may allow it: as a ref it cannot be understood."""
    own = load_yaml(OWN_KIND, label="")
    own["schema"]["properties"]["berth"] = True
    kind = read_kind(dump_yaml(own), "ship.yaml")
    ship = builders.entity("Ship", "a", {"berth": ["b", 7, None]})
    assert problems_of({**ship, "apiVersion": "harbour.example/v1"}, kind) == [
        "spec.berth.1: must be a string, found a number: put it in quotes",
        "spec.berth.2: must be a string, found nothing",
    ]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("versions: 3", "ship.yaml: versions: "),
        ("version: [a/v1]", "ship.yaml: version"),
        ("schema: {type: wood}", "ship.yaml: schema: is no JSON Schema"),
        ("schema: {$ref: 'https://x.example/s'}", "ship.yaml: schema: "),
        ("relations: {berth: {type: liesAt}}", "ship.yaml: relations.berth.inverse: "),
    ],
)
def test_an_invalid_kind_file_names_its_field(change: str, problem: str) -> None:
    """The error names file and field; a schema may not refer to other files."""
    own = load_yaml(OWN_KIND, label="")
    text = dump_yaml({**own, **load_yaml(change, label="")})
    with pytest.raises(Invalid) as error:
        read_kind(text, "ship.yaml")
    assert problem in error.value.message
