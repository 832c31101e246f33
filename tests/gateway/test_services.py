"""What the gateway asks a service itself: straight, and no policy where it need not."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.gateway.catalog import CatalogClient
from services.gateway.forward.admission import RequestAdmission
from services.gateway.forward.services import ServiceConnections, ServiceQuestions
from services.gateway.forward.upstreams import Upstream
from services.gateway.model import Decision, Identity
from services.gateway.policy.guard import PolicyGuard
from services.gateway.policy.routes import RouteTable
from shared.contracts.errors import Unavailable
from shared.kit.http.service_tokens import PrincipalTokens
from tests.builders import group, user
from tests.gateway.running import SECRET, StandIn

VISITOR = Identity("user:default/guest", "guest", ("user:default/guest",))
HIDDEN = {
    "not": {
        "rule": "HAS_ANNOTATION",
        "resourceType": "catalog-entity",
        "params": {"annotation": "callboard.dev/visibility", "value": "restricted"},
    }
}


class OnePolicy:
    """A policy that decides everything alike, and counts how often."""

    def __init__(self) -> None:
        self.answer: Decision | None = Decision("conditional", HIDDEN)
        self.questions = 0

    async def decide(self, _: Any) -> Decision:
        self.questions += 1
        if self.answer is None:
            raise Unavailable("The policy does not answer")
        return self.answer


@pytest.fixture
def policy() -> OnePolicy:
    return OnePolicy()


@pytest.fixture
async def questions(
    services: str, policy: OnePolicy
) -> AsyncIterator[ServiceQuestions]:
    tokens = PrincipalTokens(SECRET)
    admission = RequestAdmission(PolicyGuard(policy), RouteTable(), tokens)
    addresses = {"catalog": services, "search": "http://127.0.0.1:9"}
    upstreams = {name: Upstream(name, url) for name, url in addresses.items()}
    async with ServiceConnections(upstreams) as connections:
        yield ServiceQuestions(connections, admission, tokens)


async def test_the_gateway_queries_the_catalog_as_a_service(
    questions: ServiceQuestions, policy: OnePolicy
) -> None:
    """Group membership needs nobody's rights: no policy is queried."""
    policy.answer = None
    answer = await questions.ask("catalog", "/some%20path", params=[("a", "ü&b")])
    assert (answer.value["subject"], answer.value["kind"]) == (
        "service:gateway",
        "service",
    )
    assert answer.value["permission"] is None
    assert (answer.value["path"], answer.value["query"]) == (
        "/some path",
        "a=%C3%BC%26b",
    )
    assert policy.questions == 0


async def test_a_request_with_a_body_is_a_post(questions: ServiceQuestions) -> None:
    """The body arrives completely."""
    answer = await questions.ask("catalog", "/by-refs", json={"n": [1] * 1000})
    assert (answer.value["method"], answer.value["bytes"]) == ("POST", 2007)


async def test_requests_for_a_reader_carry_policy_conditions(
    questions: ServiceQuestions, policy: OnePolicy
) -> None:
    """The service gets the reader's conditions; a denial is a response."""
    echo = (await questions.ask("catalog", "/entities", reader=VISITOR)).value
    assert (echo["subject"], echo["permission"]) == (
        "user:default/guest",
        "catalog.entity.read",
    )
    assert echo["conditions"] == HIDDEN
    policy.answer = Decision("deny")
    other = Identity("user:default/bob", "user")
    answer = await questions.ask("catalog", "/entities", reader=other)
    assert (answer.status, answer.ok) == (403, False)


async def test_an_unavailable_service_is_a_response(
    questions: ServiceQuestions,
) -> None:
    """Its error names the service."""
    answer = await questions.ask("search", "/query")
    assert (answer.status, answer.error) == (503, "The service search does not answer")


async def test_the_error_message_of_a_service_is_read(
    questions: ServiceQuestions,
) -> None:
    """The service's message."""
    answer = await questions.ask("catalog", "/refused")
    assert (answer.status, answer.error) == (404, "no")


async def test_the_development_sign_in_lists_catalog_users(
    questions: ServiceQuestions, stand_in: StandIn
) -> None:
    """By name, with their groups; users that a guest may not see are left out."""
    profile = {"displayName": "Ursula Example", "picture": "p.png"}
    restricted = {"annotations": {"callboard.dev/visibility": "restricted"}}
    stand_in.put(
        user("ursula", profile=profile, memberOf=["stage"]),
        user("ursulina", restricted),
        group("stage"),
    )
    catalog = CatalogClient(questions, VISITOR)
    (card,) = await catalog.users(" ursul ", limit=5)
    assert (card.ref, card.title, card.picture) == (
        "user:default/ursula",
        "Ursula Example",
        "p.png",
    )
    assert card.groups == ["stage"]


async def test_a_missing_entity_is_none(questions: ServiceQuestions) -> None:
    """So is an invalid ref."""
    catalog = CatalogClient(questions, VISITOR)
    assert await catalog.entity("user:default/nobody") is None
    assert await catalog.entity("::") is None
