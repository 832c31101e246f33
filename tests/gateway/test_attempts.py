"""Who fails to prove themselves too often is told to wait; who succeeds never is."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from services.gateway.forward import attempts
from services.gateway.forward.attempts import Attempts
from tests.gateway.running import (
    HOOK_SECRET,
    configuration,
    gateway_app,
    served,
    settings_for,
)


@pytest.fixture(scope="module")
def gateway(
    services: str, mongodb: str, kafka: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A gateway of this module's own: other tests' failures are not to be too many."""
    data = tmp_path_factory.mktemp("attempts")
    settings = settings_for(services, mongodb=mongodb, kafka=kafka, data=data)
    with served(gateway_app(settings, configuration())) as address:
        yield address


def scope(address: str, forwarded: str | None = None) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    return {"client": (address, 1), "headers": headers}


def test_failed_attempts_are_limited_by_a_rate() -> None:
    """A burst, then one a second; each kind and each client by itself."""
    now = [0.0]
    counted = Attempts(clock=lambda: now[0])
    waits = [counted.fail("sign-in", "a") for _ in range(62)]
    assert waits == [0] * 60 + [1, 1]
    assert counted.fail("token", "a") == counted.fail("sign-in", "b") == 0
    now[0] = 3.5
    assert [counted.fail("sign-in", "a") for _ in range(4)] == [0, 0, 0, 1]


def test_the_number_of_remembered_clients_is_limited(monkeypatch) -> None:
    """Many made-up addresses cannot fill the table of clients."""
    monkeypatch.setattr(attempts, "MOST_CLIENTS", 3)
    counted = Attempts()
    for number in range(10):
        counted.fail("token", str(number))
    assert len(counted._buckets) == 3


@pytest.mark.parametrize(
    ("address", "forwarded", "client"),
    [
        ("9.9.9.9", "1.2.3.4", "9.9.9.9"),
        ("10.0.0.1", "1.2.3.4", "1.2.3.4"),
        ("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.7", "1.2.3.4"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "10.0.0.2", "10.0.0.1"),
        ("10.0.0.1", "rubbish", "rubbish"),
        ("2001:db8:1:2:3:4:5:6", None, "2001:db8:1:2::/64"),
    ],
)
def test_the_client_address_comes_from_trusted_proxies(
    address: str, forwarded: str | None, client: str
) -> None:
    """The last address that a trusted proxy added; the client's header is ignored."""
    assert Attempts(["10.0.0.0/8"]).client(scope(address, forwarded)) == client


@pytest.fixture
def unforgiving(monkeypatch) -> None:
    """However slow this machine is, no failure is allowed again meanwhile."""
    monkeypatch.setattr(attempts, "PER_SECOND", 0.001)


@pytest.mark.usefixtures("unforgiving")
async def test_too_many_wrong_tokens_answer_429(
    ask: httpx.AsyncClient, sign_in
) -> None:
    """429 with Retry-After in place of 401; the valid token still works."""
    ann = await sign_in("ann")
    statuses: list[int] = []
    for number in range(140):
        headers = {"authorization": f"Bearer wrong{number}"}
        answer = await ask.get("/api/catalog/entities", headers=headers)
        statuses.append(answer.status_code)
    assert statuses[0] == 401
    assert statuses[-1] == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["error"]["name"] == "TooManyRequestsError"
    good = await ask.get("/api/catalog/entities", headers=ann)
    assert good.status_code == 200


@pytest.mark.usefixtures("unforgiving")
async def test_too_many_wrong_sign_ins_answer_429(
    ask: httpx.AsyncClient, gateway: str
) -> None:
    """By the portal's form and by the API alike."""
    statuses = []
    for number in range(40):
        form = await ask.post(
            "/sign-in/as",
            data={"user": f"user:default/nobody{number}"},
            headers={"origin": gateway},
        )
        body = {"userEntityRef": f"user:default/nobody{number}"}
        api = await ask.post("/api/auth/development/refresh", json=body)
        statuses += [form.status_code, api.status_code]
    assert 404 in statuses
    assert statuses[-2:] == [429, 429]
    answer = await ask.post(
        "/api/auth/development/refresh", json={"userEntityRef": "user:default/ann"}
    )
    assert answer.status_code == 200


@pytest.mark.usefixtures("unforgiving")
async def test_too_many_forged_webhooks_answer_429(ask: httpx.AsyncClient) -> None:
    """A signed webhook is accepted all the same."""
    event = {"x-gitea-event": "issues", "x-gitea-delivery": "1"}
    statuses = []
    for number in range(70):
        headers = {**event, "x-gitea-signature": f"{number:064x}"}
        answer = await ask.post("/api/webhooks/gitea", content=b"{}", headers=headers)
        statuses.append(answer.status_code)
    assert (statuses[0], statuses[-1]) == (403, 429)
    body = json.dumps({}).encode()
    signature = hmac.new(HOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {**event, "x-gitea-signature": signature}
    answer = await ask.post("/api/webhooks/gitea", content=body, headers=headers)
    assert answer.status_code == 202
