"""Descriptors that break rules: refused by name, and nothing of them is kept."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.running import (
    ANN,
    BEN,
    DEV,
    HOST,
    SERVICE,
    Portal,
    eventually,
    problem,
    push,
)
from tests.e2e.system import WorkingCopy

MEGABYTE = 1024 * 1024
LOCATIONS = "/api/catalog/locations"
VALIDATE = "/api/catalog/validate-entity"
NAME_RULE = "metadata.name: must be sequences of [a-zA-Z0-9] separated by [-_.], 1-63"
NINE = "[*{0}, *{0}, *{0}, *{0}, *{0}, *{0}, *{0}, *{0}, *{0}]"
NOT_ALLOWED = "'backend.reading.allow'"


def component(name: str, more: str = "", kind: str = "Component") -> str:
    """A descriptor of a component."""
    return (
        f"apiVersion: backstage.io/v1alpha1\nkind: {kind}\nmetadata:\n  name: {name}\n"
        f"spec:\n  type: service\n  lifecycle: production\n  owner: money\n{more}"
    )


def location(name: str, *targets: str) -> str:
    """A descriptor of a Location."""
    listed = "".join(f"    - {target}\n" for target in targets)
    return (
        f"apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata:\n"
        f"  name: {name}\nspec:\n  type: url\n  targets:\n{listed}"
    )


BOMB = (
    "  a: &a [x, x, x, x, x, x, x, x, x]\n"
    f"  b: &b {NINE.format('a')}\n  c: &c {NINE.format('b')}\n  d: {NINE.format('c')}\n"
)
TEXT = "  definition:\n    $text: ../../../../../etc/passwd\n"
#: file: (content, the name of what is wrong, what its message must say)
BAD: dict[str, tuple[str | bytes, str, tuple[str, ...]]] = {
    "syntax": (
        "kind: Component\n  metadata: [\n",
        "InputError",
        ("YAML error: mapping values are not allowed", "line 2, column 11"),
    ),
    "huge": (
        component("bad-huge") + "# " + "x" * (10 * MEGABYTE),
        "PayloadTooLargeError",
        ("huge.yaml: over the limit of 10485760 bytes",),
    ),
    "deep": (
        component("bad-deep", "  deep: " + "[" * 200 + "]" * 200),
        "InputError",
        ("nested deeper than 100", "line 9"),
    ),
    "aliased": (component("bad-aliased", BOMB), "InputError", ("too many aliases",)),
    "binary": (b"\x00\x01\xff\xfekind: API", "InputError", ("byte 2 is not UTF-8",)),
    "unknown-kind": (
        component("bad-kind", kind="Komponent"),
        "InputError",
        ("komponent:default/bad-kind: kind:", "'Komponent'"),
    ),
    "bad-name": (
        component("'bad name'"),
        "InputError",
        ("component:default/bad name:", NAME_RULE, "found 'bad name'"),
    ),
    "no-owner": (
        component("bad-owner").replace("  owner: money\n", ""),
        "InputError",
        ("component:default/bad-owner: spec.owner: is required",),
    ),
    "text-outside": (
        component("bad-text", TEXT, kind="API"),
        "InputError",
        ("api:default/bad-text: placeholder $text", NOT_ALLOWED),
    ),
}
GOOD = {
    "second.yaml": component("payments"),
    "some-missing.yaml": location("some-missing", "./sibling.yaml", "./nowhere.yaml"),
    "sibling.yaml": component("good-sibling"),
    "elsewhere.yaml": location(
        "elsewhere",
        "../../../../../../etc/passwd",
        "file:///etc/passwd",
    ),
    "tagged.yaml": component("tagged", "  run: !!python/object/apply:os.abort []\n"),
}


@pytest.fixture(scope="module")
def shelf(system: Portal) -> Iterator[str]:
    """The address of a repository full of bad files, none of them discovered."""
    name = f"shelf-{secrets.token_hex(3)}"
    bad = {f"{name}.yaml": content for name, (content, _, _) in BAD.items()}
    system.repository(name, {**bad, **GOOD})
    yield f"{HOST}/{name}/blob/main"
    for registered in system.get(LOCATIONS):
        if f"/{name}/" in registered["data"]["target"]:
            path = f"{LOCATIONS}/{registered['data']['id']}"
            system.as_(DEV).delete(path).raise_for_status()


def register(system: Portal, target: str, *, dry: bool = False) -> Any:
    """The answer to a registration."""
    params = {"dryRun": "true"} if dry else {}
    body = {"type": "url", "target": target}
    return system.as_(BEN).post(LOCATIONS, json=body, params=params)


def complaints(system: Portal, ref: str) -> list[dict[str, str]]:
    """The errors that an entity's status shows."""
    entity = system.known(ref) or {}
    items = entity.get("status", {}).get("items", [])
    return [item["error"] for item in items]


@pytest.mark.parametrize("name", BAD)
def test_a_dry_run_refuses_an_invalid_descriptor(
    system: Portal, shelf: str, name: str
) -> None:
    """400 with the rule, and nothing is stored."""
    _, error, words = BAD[name]
    before = system.count()
    answer = register(system, f"{shelf}/{name}.yaml", dry=True)
    status, kind, message = problem(answer)
    assert (status, kind) == (400, "InputError")
    assert message.startswith(f"{error}: ")
    for word in words:
        assert word in message
    assert system.count() == before
    assert f"{shelf}/{name}.yaml" not in str(system.get(LOCATIONS))


@pytest.mark.parametrize("name", BAD)
def test_an_invalid_descriptor_is_reported_by_its_location(
    system: Portal, shelf: str, name: str
) -> None:
    """When it is registered all the same, the location alone exists, with an error."""
    _, error, words = BAD[name]
    before = system.count()
    answer = register(system, f"{shelf}/{name}.yaml")
    assert answer.status_code == 201
    (problem,) = complaints(system, answer.json()["location"]["entityRef"])
    assert problem["name"] == error
    for word in words:
        assert word in problem["message"]
    assert system.count() == before + 1


def test_an_entity_stays_with_its_first_location(system: Portal, shelf: str) -> None:
    """Another location that has the entity gets a conflict."""
    before = system.known("component:default/payments")
    answer = register(system, f"{shelf}/second.yaml").raise_for_status()
    (problem,) = complaints(system, answer.json()["location"]["entityRef"])
    assert problem["name"] == "ConflictError"
    assert (
        "component:default/payments: is already provided by url:" in problem["message"]
    )
    assert "/payments/blob/main/catalog-info.yaml" in problem["message"]
    assert system.known("component:default/payments") == before


def test_a_missing_target_does_not_drop_other_targets(
    system: Portal, shelf: str
) -> None:
    """Existing targets are read; the Location reports the missing one."""
    register(system, f"{shelf}/some-missing.yaml").raise_for_status()
    assert system.known("component:default/good-sibling")
    (problem,) = complaints(system, "location:default/some-missing")
    assert problem["name"] == "NotFoundError"
    assert "nowhere.yaml" in problem["message"]


def test_targets_cannot_leave_their_repository(system: Portal, shelf: str) -> None:
    """Neither dots nor another scheme lead to files of the server."""
    before = system.count()
    register(system, f"{shelf}/elsewhere.yaml").raise_for_status()
    problems = complaints(system, "location:default/elsewhere")
    assert [problem["name"] for problem in problems] == [
        "NotAllowedError",
        "InputError",
    ]
    assert NOT_ALLOWED in problems[0]["message"]
    assert "'file:///etc/passwd' must be an http(s) URL" in problems[1]["message"]
    assert system.count() == before + 2


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("/org/blob/main/../../payments/x.yaml", "leads outside the repository"),
        ("/../etc/passwd", NOT_ALLOWED),
        ("/org/blob/main/%2e%2e/%2e%2e/etc/passwd", "leads outside the repository"),
    ],
)
def test_registered_targets_cannot_leave_their_repository(
    system: Portal, target: str, words: str
) -> None:
    """The error names the traversal."""
    status, name, message = problem(register(system, HOST + target, dry=True))
    assert (status, name) == (400, "InputError")
    assert words in message


def test_file_locations_are_refused(system: Portal) -> None:
    """A `file:` location cannot be registered, whatever its target is."""
    body = {"type": "file", "target": "/etc/passwd"}
    status, name, message = problem(system.as_(BEN).post(LOCATIONS, json=body))
    assert (status, name) == (400, "InputError")
    assert 'must be of an allowed type ["url"]' in message


def test_yaml_tags_run_no_code(system: Portal, shelf: str) -> None:
    """A tag that other parsers would execute is ignored."""
    register(system, f"{shelf}/tagged.yaml").raise_for_status()
    tagged = system.known("component:default/tagged")
    assert tagged is not None
    assert tagged["spec"]["run"] == []


@pytest.mark.parametrize(
    ("bad", "kind", "words"),
    [
        ("  dependsOn: 7\n", "entity", "spec.dependsOn: "),
        ("  owner: again\n", "location", "map keys must be unique: 'owner' at line 9"),
    ],
)
def test_a_broken_push_keeps_the_last_valid_entity(
    system: Portal, bad: str, kind: str, words: str
) -> None:
    """The error is shown, and the entity stays until a push repairs it."""
    name = f"wobbly-{secrets.token_hex(3)}"
    ref = f"component:default/{name}"
    copy = system.repository(name, {"catalog-info.yaml": component(name)})
    good = eventually(lambda: system.known(ref), f"{ref} is discovered")
    target = f"{HOST}/{name}/blob/main/catalog-info.yaml"
    filters = {"filter": f"spec.target={target}"}
    (location,) = eventually(
        lambda: system.get("/api/catalog/entities", **filters), target
    )
    of = {"entity": ref, "location": f"location:default/{location['metadata']['name']}"}
    push(copy, {"catalog-info.yaml": component(name, bad)}, "Break it")
    (problem,) = eventually(
        lambda: complaints(system, of[kind]), f"the {kind} complains"
    )
    assert problem["name"] == "InputError"
    assert words in problem["message"]
    entity = system.known(ref)
    assert entity is not None
    assert entity["spec"] == good["spec"]
    mend(system, copy, name)


def mend(system: Portal, copy: WorkingCopy, name: str) -> None:
    """Push what is right again; the complaint goes."""
    text = component(name, "  system: payments\n")
    push(copy, {"catalog-info.yaml": text}, "Mend it")
    ref = f"component:default/{name}"

    def mended() -> bool:
        entity = system.known(ref) or {}
        return entity["spec"].get("system") == "payments" and "status" not in entity

    eventually(mended, f"{ref} is mended")


@pytest.mark.parametrize(
    ("entity", "words"),
    [
        ({"kind": "Komponent"}, "kind: nothing here knows 'Komponent'"),
        ({"metadata": {"name": "-x-"}}, NAME_RULE),
        ({"metadata": {"name": "x", "tags": ["A B"]}}, "metadata.tags.0: "),
        ({"spec": {"type": 7, "lifecycle": "x", "owner": "y"}}, "spec.type: "),
        ({"apiVersion": "v0"}, "apiVersion"),
    ],
)
def test_validation_names_field_and_rule(
    system: Portal, entity: dict[str, Any], words: str
) -> None:
    """`validate-entity` answers 400 with the entity, the field and its rule."""
    whole = {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": "x"},
        "spec": {"type": "service", "lifecycle": "production", "owner": "money"},
        **entity,
    }
    body = {"entity": whole, "location": f"url:{HOST}/x/blob/main/x.yaml"}
    answer = system.as_(ANN).post(VALIDATE, json=body)
    assert answer.status_code == 400
    (problem,) = answer.json()["errors"]
    assert problem["name"] == "InputError"
    assert words in problem["message"]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused(system: Portal, chunked: bool) -> None:
    """413 that names the limit, with a length and without."""
    block = b" " * MEGABYTE
    body = iter([block] * 11) if chunked else block * 10 + b" "
    answer = system.as_(ANN).post(
        VALIDATE, content=body, headers={"Content-Type": "application/json"}
    )
    status, name, message = problem(answer)
    assert (status, name) == (413, "PayloadTooLargeError")
    assert message == "body: over the limit of 10485760 bytes"


def test_malformed_json_is_refused_with_its_position(system: Portal) -> None:
    """400 with the place in the text."""
    answer = system.as_(SERVICE).post(
        VALIDATE, content=b"{nope", headers={"Content-Type": "application/json"}
    )
    status, name, message = problem(answer)
    assert (status, name) == (400, "InputError")
    assert message.startswith("request/body: not JSON: ")
    assert "line 1 column 2" in message
