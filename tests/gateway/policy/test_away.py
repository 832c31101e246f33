"""OPA killed and frozen behind a gateway: no at once, and yes again at once."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from services.gateway.policy.opa import FAILURES
from shared.contracts.catalog import Cause, EntityUpdated
from shared.contracts.envelope import Envelope
from shared.kit.events.bus import KafkaBus
from tests.builders import component
from tests.gateway.policy.conftest import MakeGateway, MakeOpa
from tests.gateway.policy.opa_server import OpaServer
from tests.waiting import until

#: What the gateway waits for a decision here, and what an answer takes besides.
LATE, SLACK = 0.5, 4.0
READ = "/api/catalog/entities/by-name/component/default/tickets"
PUBLIC = (
    "/healthz",
    "/.backstage/health/v1/liveness",
    "/sign-in",
    "/api/auth/.well-known/jwks.json",
    "/api/catalog/.backstage/auth/v1/jwks.json",
    "/api/openapi.json",
)


@pytest.fixture
def server(make_opa: MakeOpa) -> OpaServer:
    opa_server = make_opa()
    opa_server.start()
    return opa_server


@pytest.fixture
def front(server: OpaServer, make_gateway: MakeGateway) -> str:
    """A gateway that remembers no decision."""
    return make_gateway(opa=server.address, policy_seconds=LATE, decision_seconds=0)


@pytest.fixture
async def ask(front: str) -> AsyncIterator[httpx.AsyncClient]:
    """Ann's client."""
    async with httpx.AsyncClient(base_url=front, timeout=20) as client:
        body = {"userEntityRef": "user:default/ann"}
        answer = await client.post("/api/auth/development/refresh", json=body)
        token = answer.json()["backstageIdentity"]["token"]
        client.headers["authorization"] = f"Bearer {token}"
        assert (await client.get(READ)).status_code == 200
        yield client


async def timed(ask: httpx.AsyncClient) -> tuple[httpx.Response, float]:
    start = time.monotonic()
    answer = await ask.get(READ)
    return answer, time.monotonic() - start


def is_no(answer: httpx.Response) -> bool:
    """Whether it is the refusal that tells why and when to try again."""
    if answer.status_code != 503:
        return False
    error = answer.json()["error"]
    assert error["name"] == "ServiceUnavailableError"
    assert "nothing is allowed" in error["message"]
    assert answer.headers["retry-after"] == "1"
    return True


async def back(ask: httpx.AsyncClient) -> None:
    """Wait for a yes."""

    async def answered() -> bool:
        return (await ask.get(READ)).status_code == 200

    await until(answered, "a yes")


async def test_a_frozen_opa_denies_within_a_time_limit(
    ask: httpx.AsyncClient, server: OpaServer
) -> None:
    """Every waiting request is denied; later ones at once, until OPA is back."""
    server.freeze()
    answers = await asyncio.gather(*(timed(ask) for _ in range(40)))
    assert all(is_no(answer) for answer, _ in answers)
    assert max(seconds for _, seconds in answers) < LATE + SLACK
    waits = [seconds for _, seconds in [await timed(ask) for _ in range(20)]]
    assert sorted(waits)[len(waits) // 2] < LATE
    server.thaw()
    await back(ask)


async def test_a_killed_opa_denies_at_once(
    ask: httpx.AsyncClient, server: OpaServer
) -> None:
    """Requests are denied until OPA is back, and decided at most a second later."""
    server.kill()
    for _ in range(2 * FAILURES):
        answer, seconds = await timed(ask)
        assert is_no(answer)
        assert seconds < LATE + SLACK
    server.start()
    await back(ask)


async def test_routes_without_a_policy_answer_while_opa_is_away(
    front: str, ask: httpx.AsyncClient, server: OpaServer
) -> None:
    """Health, keys, contracts, sign-in, and the status, which names the problem."""
    server.kill()
    async with httpx.AsyncClient(base_url=front) as anybody:
        for path in PUBLIC:
            assert (await anybody.get(path)).status_code == 200, path
        sign_in_page = await anybody.get("/sign-in?text=user:default/bob")
        assert 'name="user" value="user:default/bob"' in sign_in_page.text
        body = {"userEntityRef": "user:default/bob"}
        signed = await anybody.post("/api/auth/development/refresh", json=body)
        assert signed.status_code == 200
        ready = await anybody.get("/readyz")
        assert ready.status_code == 503
        assert "does not answer" in ready.json()["checks"]["policy"]
    report = (await ask.get("/api/status")).json()
    states = {service["name"]: service["ready"] for service in report["services"]}
    assert states["gateway"] is False
    assert states["catalog"] is True


async def test_pages_explain_that_the_policy_is_away(
    front: str, ask: httpx.AsyncClient, server: OpaServer
) -> None:
    """An error page says what to do; the status page can be read."""
    async with httpx.AsyncClient(base_url=front) as browser:
        headers = {"origin": front}
        form = {"user": "user:default/ann"}
        await browser.post("/sign-in/as", data=form, headers=headers)
        assert (await browser.get("/status")).status_code == 200
        server.kill()
        page = await browser.get("/catalog")
        assert page.status_code == 503
        assert int(page.headers["retry-after"]) <= 2
        assert "The policy server does not answer" in page.text
        assert "Try again" in page.text
        status = await browser.get("/status")
        assert status.status_code == 200
        assert "policy" in status.text


async def test_cached_decisions_apply_while_opa_is_away(
    server: OpaServer, make_gateway: MakeGateway
) -> None:
    """A short failure affects only requests without a cached decision."""
    front = make_gateway(opa=server.address, policy_seconds=LATE, decision_seconds=60)
    async with httpx.AsyncClient(base_url=front) as client:
        heads = []
        for name in ("ann", "bob"):
            body = {"userEntityRef": f"user:default/{name}"}
            answer = await client.post("/api/auth/development/refresh", json=body)
            token = answer.json()["backstageIdentity"]["token"]
            heads.append({"authorization": f"Bearer {token}"})
        assert (await client.get(READ, headers=heads[0])).status_code == 200
        server.kill()
        assert (await client.get(READ, headers=heads[0])).status_code == 200
        assert is_no(await client.get(READ, headers=heads[1]))


async def test_an_event_stream_loses_nothing_while_opa_is_away(
    front: str, ask: httpx.AsyncClient, server: OpaServer, kafka: str
) -> None:
    """It ends in order while nothing can be decided, and resumes afterwards."""
    ref, path = "component:default/tickets", "/api/events/stream"
    change = EntityUpdated(
        entity_ref=ref,
        revision=2,
        entity=component("tickets"),
        actor="user:default/ann",
        cause=Cause(kind="push"),
    )
    ready = f"{front}/readyz"
    await until(lambda: httpx.get(ready).status_code == 200, "readiness")
    async with ask.stream("GET", path, timeout=15) as stream:
        lines = stream.aiter_lines()
        hello = [await anext(lines), await anext(lines)]
        position = hello[1].removeprefix("id: ")
        server.kill()
        envelope = Envelope.of(change, source="/catalog", subject=ref)
        async with KafkaBus(kafka) as bus:
            await bus.publish("entity-changed", ref, envelope.to_bytes())
        assert [line async for line in lines if line] == []
    server.start()
    await back(ask)
    resumed = {"last-event-id": position}
    async with ask.stream("GET", path, headers=resumed, timeout=15) as stream:
        resumed_lines = [line async for line in first(stream.aiter_lines(), "data: {")]
    assert envelope.id in resumed_lines[-1]


async def first(lines: AsyncIterator[str], beginning: str) -> AsyncIterator[str]:
    """Lines up to the first that begins so."""
    async for line in lines:
        yield line
        if line.startswith(beginning):
            return
