"""What is restricted exists for its owners and the platform team alone, everywhere."""

import re
import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.restricted import Secret
from tests.e2e.running import (
    ANN,
    BEN,
    BY_NAME,
    DEV,
    GUEST,
    HOST,
    HUGO,
    Portal,
    eventually,
    problem,
    push,
)
from tests.e2e.system import working_copy

CATALOG = "/api/catalog"
OUTSIDERS, INSIDERS = (GUEST, ANN, BEN), (HUGO, DEV)
NEIGHBOURS = (
    "resource:default/event-log",
    "system:default/payments",
    "group:default/corporate-development",
)


def uid(system: Portal, secret: Secret) -> str:
    """The entity's uid, which outsiders cannot know."""
    return str((system.known(secret.ref) or {})["metadata"]["uid"])


@pytest.mark.parametrize("who", OUTSIDERS)
def test_a_restricted_entity_is_not_found_by_outsiders(
    system: Portal, secret: Secret, who: str
) -> None:
    """404 with the text for a missing entity, at every address."""
    for path in (
        f"{BY_NAME}/{secret.path}",
        f"{BY_NAME}/{secret.path}/ancestry",
        f"{BY_NAME}/{secret.path}/history",
        f"{CATALOG}/entities/by-uid/{uid(system, secret)}",
        f"{CATALOG}/locations/by-entity/{secret.path}",
        f"/api/techdocs/metadata/techdocs/default/component/{secret.name}",
        f"/api/techdocs/metadata/entity/default/component/{secret.name}",
        f"/api/techdocs/static/docs/default/component/{secret.name}/index.html",
        f"/api/techdocs/sync/default/component/{secret.name}",
    ):
        answer = system.as_(who).get(path)
        assert answer.status_code == 404, path
        assert secret.word not in answer.text
        absent = path.replace(secret.name, "absent").replace(uid(system, secret), "0")
        other = system.as_(who).get(absent)
        assert re.sub(r"absent\b", secret.name, problem(other)[2]).startswith(
            problem(answer)[2].partition(uid(system, secret))[0]
        ), path


@pytest.mark.parametrize("who", INSIDERS)
def test_owners_can_read_a_restricted_entity(
    system: Portal, secret: Secret, who: str
) -> None:
    """The same addresses answer its owner and the platform team."""
    for path in (
        f"{BY_NAME}/{secret.path}",
        f"{BY_NAME}/{secret.path}/ancestry",
        f"{BY_NAME}/{secret.path}/history",
        f"{CATALOG}/entities/by-uid/{uid(system, secret)}",
        f"/api/techdocs/metadata/techdocs/default/component/{secret.name}",
        f"/api/techdocs/metadata/entity/default/component/{secret.name}",
        f"/api/techdocs/static/docs/default/component/{secret.name}/index.html",
    ):
        assert system.as_(who).get(path).status_code == 200, path


@pytest.mark.parametrize(
    ("who", "sees"), [*((w, False) for w in OUTSIDERS), *((w, True) for w in INSIDERS)]
)
def test_lists_totals_and_facets_hide_the_restricted_entity(
    system: Portal, secret: Secret, who: str, *, sees: bool
) -> None:
    """It is listed and counted for its readers only."""
    tagged = f"metadata.tags={secret.word}"
    assert len(system.get(f"{CATALOG}/entities", who, filter=tagged)) == sees
    assert system.count(who, filter=tagged) == sees
    full = {"fullTextFilterTerm": secret.word, "fullTextFilterFields": "metadata.title"}
    assert system.count(who, **full) == sees
    facets = system.get(f"{CATALOG}/entity-facets", who, facet="metadata.tags")
    values = [value["value"] for value in facets["facets"]["metadata.tags"]]
    assert (secret.word in values) == sees
    body = {"entityRefs": [secret.ref, "component:default/payments"]}
    answer = system.as_(who).post(f"{CATALOG}/entities/by-refs", json=body)
    first, second = answer.raise_for_status().json()["items"]
    assert second["metadata"]["name"] == "payments"
    assert (first is not None) == sees


def test_totals_differ_by_the_number_of_restricted_entities(
    system: Portal, secret: Secret
) -> None:
    """Outsiders count exactly as many fewer."""
    marked = "metadata.annotations.callboard.dev/visibility=restricted"
    restricted = system.count(DEV, filter=marked)
    assert restricted >= 2  # ours, and the example's
    for who in OUTSIDERS:
        assert system.count(who, filter=marked) == 0
        assert system.count(who) == system.count(DEV) - restricted


@pytest.mark.parametrize("who", [*OUTSIDERS, *INSIDERS])
def test_search_and_suggestions_hide_the_restricted_entity(
    system: Portal, secret: Secret, who: str
) -> None:
    """Outsiders find neither the entity nor a page of its documentation."""
    sees = who in INSIDERS
    assert (system.results(secret.word, who) > 0) == sees
    assert (system.results(secret.name, who) > 0) == sees
    body = system.get("/api/search/suggest", who, term=f"Plan {secret.word[:6]}")
    assert (secret.word in str(body)) == sees


@pytest.mark.parametrize("who", OUTSIDERS)
def test_locations_do_not_reveal_the_restricted_entity(
    system: Portal, secret: Secret, who: str
) -> None:
    """Its Location entity and its registration are hidden too."""
    everything = system.get(f"{CATALOG}/entities", who)
    assert secret.name not in str(everything)
    assert "curtain-call" not in str(everything)
    target = f"{HOST}/{secret.name}/blob/main/catalog-info.yaml"
    body = {"type": "url", "target": target}
    response = system.as_(HUGO).post(f"{CATALOG}/locations", json=body)
    identity = response.raise_for_status().json()["location"]["id"]
    try:
        assert system.as_(DEV).get(f"{CATALOG}/locations/{identity}").is_success
        assert system.as_(who).get(f"{CATALOG}/locations/{identity}").is_client_error
        assert secret.name not in str(system.get(f"{CATALOG}/locations", who))
        query = system.as_(who).post(f"{CATALOG}/locations/by-query", json={})
        assert secret.name not in query.raise_for_status().text
    finally:
        system.as_(DEV).delete(f"{CATALOG}/locations/{identity}").raise_for_status()
    assert system.known(secret.ref)


@pytest.mark.parametrize("ref", NEIGHBOURS)
def test_relations_do_not_reveal_the_restricted_entity(
    system: Portal, secret: Secret, ref: str
) -> None:
    """Relations to it are shown to insiders only."""
    for who in (*OUTSIDERS, *INSIDERS):
        entity = system.known(ref, who)
        assert entity is not None
        refs = [relation["targetRef"] for relation in entity["relations"]]
        assert (secret.ref in refs) == (who in INSIDERS), who


def test_the_event_stream_hides_the_restricted_entity(
    system: Portal, secret: Secret
) -> None:
    """Its owner gets a push to it; others get the next public push only."""
    word = f"zq{secrets.token_hex(4)}"
    with (
        system.listening(GUEST) as guest,
        system.listening(ANN) as ann,
        system.listening(HUGO) as hugo,
    ):
        files = {
            "catalog-info.yaml": secret.says(word),
            "docs/index.md": f"# Plan\n\nMore about {secret.word}, and {word}.\n",
        }
        push(secret.copy, files, f"Say {word}")
        for topic in ("entity.updated", "site.built"):
            eventually(
                lambda topic=topic: has_secret_event(hugo, topic, secret),
                f"Hugo hears {topic}",
            )
        copy = working_copy(system, "website")
        public = copy.read("catalog-info.yaml") + f"# {word}\n"
        text = public.replace("description: ", f"description: {word} ", 1)
        push(copy, {"catalog-info.yaml": text}, "Be heard by all")
        for heard in (guest, ann, hugo):
            eventually(
                lambda heard=heard: "Be heard by all" in str(heard), "the public push"
            )
        for heard in (guest, ann):
            for hidden in (secret.name, secret.word):
                assert hidden not in str(heard)


def has_secret_event(heard: list[dict[str, Any]], topic: str, secret: Secret) -> bool:
    """Whether an event about the secret was heard."""
    return any(
        topic in event["type"] and secret.name in event["subject"]
        for event in list(heard)
    )


@pytest.fixture(scope="module")
def readers(system: Portal) -> Iterator[dict[str, httpx.Client]]:
    """People in front of the portal's pages, by their session cookie."""
    clients = {who: system.user(who.rpartition("/")[2]) for who in (ANN, HUGO)}
    guest = httpx.Client(base_url=system.url, headers={"Origin": system.url})
    assert guest.post("/sign-in/guest").status_code == 303
    clients[GUEST] = guest
    yield clients
    for client in clients.values():
        client.close()


@pytest.mark.parametrize(
    ("path", "hidden"),
    [
        ("/", "{name}"),
        ("/catalog?text={name}", "{word}"),
        ("/catalog?tag={word}&kind=all", "{name}"),
        ("/catalog/default/resource/event-log", "{name}"),
        ("/catalog/default/resource/event-log/dependencies", "{name}"),
        ("/catalog/default/system/payments", "{name}"),
        ("/catalog/default/group/corporate-development", "{name}"),
        ("/graph", "{name}"),
        ("/graph?entity=resource:default/event-log&show=impact", "{name}"),
        ("/docs", "{name}"),
        ("/search?query={name}", "{word}"),
        ("/search/suggest?term={name}", "{word}"),
    ],
)
def test_portal_pages_hide_the_restricted_entity(
    system: Portal,
    secret: Secret,
    readers: dict[str, httpx.Client],
    path: str,
    hidden: str,
) -> None:
    """No page shows a trace of it to outsiders."""
    values = {"name": secret.name, "word": secret.word}
    for who in (GUEST, ANN):
        answer = readers[who].get(path.format(**values))
        assert answer.status_code == 200
        assert hidden.format(**values) not in answer.text, who


@pytest.mark.parametrize("tab", ["", "/activity", "/raw", "/dependencies"])
def test_the_restricted_entitys_page_is_for_its_owner_only(
    secret: Secret, readers: dict[str, httpx.Client], tab: str
) -> None:
    """404 for outsiders; so is its documentation."""
    own = f"/catalog/default/component/{secret.name}{tab}"
    docs = f"/docs/default/component/{secret.name}/"
    for path in (own, docs):
        for who in (GUEST, ANN):
            answer = readers[who].get(path)
            assert answer.status_code == 404
            assert secret.word not in answer.text
        assert secret.word in readers[HUGO].get(path).text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{CATALOG}/locations", {"type": "url", "target": f"{HOST}/x/blob/main/x"}),
        (
            "/api/scaffolder/v2/tasks",
            {"templateRef": "template:default/python-service", "values": {}},
        ),
        ("/api/scaffolder/v2/dry-run", {}),
        (f"{CATALOG}/refresh", {"entityRef": "component:default/payments"}),
        (f"{CATALOG}/validate-entity", {}),
    ],
)
def test_guests_may_only_read(system: Portal, path: str, body: dict[str, Any]) -> None:
    """403 that says how to continue; nothing is started."""
    locations = system.get(f"{CATALOG}/locations")
    tasks = system.get("/api/scaffolder/v2/tasks")["totalTasks"]
    answer = system.as_(GUEST).post(path, json=body)
    words = "Guests may read. Sign in as a user to do this."
    assert problem(answer) == (403, "NotAllowedError", words)
    assert system.get(f"{CATALOG}/locations") == locations
    assert system.get("/api/scaffolder/v2/tasks")["totalTasks"] == tasks


def test_refreshing_needs_ownership(system: Portal, secret: Secret) -> None:
    """Owners and the platform team may; others get 403 or 404."""
    payments = {"entityRef": "component:default/payments"}
    for who, status in ((BEN, 200), (DEV, 200), (ANN, 403)):
        answer = system.as_(who).post(f"{CATALOG}/refresh", json=payments)
        assert answer.status_code == status, who
    assert "component:default/payments" in problem(answer)[2]
    hidden = {"entityRef": secret.ref}
    answer = system.as_(ANN).post(f"{CATALOG}/refresh", json=hidden)
    assert problem(answer)[:2] == (404, "NotFoundError")


def test_deleting_needs_ownership(system: Portal, secret: Secret) -> None:
    """Neither entity nor location is deleted by others."""
    name = f"passing-{secrets.token_hex(3)}"
    ref = f"component:default/{name}"
    text = (
        f"apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: {name}"
        "\nspec:\n  type: service\n  lifecycle: production\n  owner: money\n"
    )
    system.repository(name, {"one.yaml": text})
    body = {"type": "url", "target": f"{HOST}/{name}/blob/main/one.yaml"}
    response = system.as_(ANN).post(f"{CATALOG}/locations", json=body)
    location = (
        f"{CATALOG}/locations/{response.raise_for_status().json()['location']['id']}"
    )
    entity = system.known(ref)
    assert entity is not None
    by_uid = f"{CATALOG}/entities/by-uid/{entity['metadata']['uid']}"
    for who in (GUEST, ANN):
        for path in (location, by_uid):
            assert problem(system.as_(who).delete(path))[0] == 403
    system.as_(ANN).delete(f"{CATALOG}/entities/by-uid/{uid(system, secret)}")
    assert system.known(ref)
    assert system.known(secret.ref)
    assert system.as_(BEN).delete(location).status_code == 204
    assert system.known(ref) is None


def test_moving_a_registration_needs_ownership(system: Portal) -> None:
    """Nobody can replace the entities of another's location."""
    refs, targets = [], []
    for owner in ("money", "booking"):
        name = f"moving-{secrets.token_hex(3)}"
        text = (
            "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n"
            f"  name: {name}\nspec:\n  type: service\n  lifecycle: production\n"
            f"  owner: {owner}\n"
        )
        system.repository(name, {"one.yaml": text})
        refs.append(f"component:default/{name}")
        targets.append({"type": "url", "target": f"{HOST}/{name}/blob/main/one.yaml"})
    response = system.as_(BEN).post(f"{CATALOG}/locations", json=targets[0])
    location = (
        f"{CATALOG}/locations/{response.raise_for_status().json()['location']['id']}"
    )
    for who in (GUEST, ANN):
        assert problem(system.as_(who).put(location, json=targets[1]))[0] == 403
    assert system.known(refs[0])
    assert system.known(refs[1]) is None
    assert system.get(location)["target"] == targets[0]["target"]
    assert system.as_(BEN).put(location, json=targets[1]).status_code == 200
    eventually(lambda: system.known(refs[0]) is None, "it is moved")
    assert system.known(refs[1])


def test_runs_are_visible_to_their_creator_only(system: Portal) -> None:
    """Others see neither a run nor its log; the platform team does."""
    name = f"private-{secrets.token_hex(3)}"
    values = {"name": name, "title": "Private", "owner": "group:default/money"}
    body = {"templateRef": "template:default/documentation-site", "values": values}
    answer = system.as_(BEN).post("/api/scaffolder/v2/tasks", json=body)
    run = f"/api/scaffolder/v2/tasks/{answer.raise_for_status().json()['id']}"
    for who, statuses in (
        (BEN, {200}),
        (DEV, {200}),
        (ANN, {403, 404}),
        (GUEST, {403, 404}),
    ):
        for path in (run, f"{run}/events"):
            assert system.as_(who).get(path).status_code in statuses, (who, path)
    eventually(lambda: system.known(f"component:default/{name}"), "what the run made")
