"""One gateway for the whole suite, on real engines, and who asks it."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.builders import component, group, user
from tests.gateway.running import (
    STATIC,
    StandIn,
    configuration,
    served,
    served_with_portal,
    settings_for,
)
from tests.waiting import until_now

SignIn = Callable[[str], "httpx.Headers"]


@pytest.fixture(scope="session")
def stand_in() -> StandIn:
    services = StandIn()
    restricted = {"annotations": {"callboard.dev/visibility": "restricted"}}
    services.put(
        user("ann", memberOf=["box-office"]),
        user("bob", memberOf=["stage"]),
        user("kim", memberOf=["platform"]),
        group("box-office"),
        group("stage"),
        group("platform"),
        component("tickets", owner="box-office"),
        component("merger", restricted, owner="box-office"),
    )
    return services


@pytest.fixture(scope="session")
def services(stand_in: StandIn) -> Iterator[str]:
    with served(lambda: stand_in.app) as address:
        yield address


@pytest.fixture(scope="session")
def gateway(
    services: str,
    mongodb: str,
    kafka: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The address of a running gateway that hears and says events."""
    data: Path = tmp_path_factory.mktemp("gateway")
    settings = settings_for(services, mongodb=mongodb, kafka=kafka, data=data)
    with served_with_portal(settings, configuration()) as address:
        until_now(
            lambda: httpx.get(f"{address}/readyz").status_code == 200, "readiness"
        )
        yield address


@pytest.fixture
async def ask(gateway: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client without credentials."""
    async with httpx.AsyncClient(base_url=gateway, timeout=20) as client:
        yield client


@pytest.fixture
def robot() -> dict[str, str]:
    """The headers of a program with a static token."""
    return {"authorization": f"Bearer {STATIC}"}


@pytest.fixture
async def sign_in(ask: httpx.AsyncClient) -> Callable[[str], Any]:
    """Headers of a user (`ann`) or of the guest (`guest`)."""

    async def signed(name: str) -> dict[str, str]:
        if name == "guest":
            answer = await ask.post("/api/auth/guest/refresh")
        else:
            body = {"userEntityRef": f"user:default/{name}"}
            answer = await ask.post("/api/auth/development/refresh", json=body)
        assert answer.status_code == 200, answer.text
        token = answer.json()["backstageIdentity"]["token"]
        return {"authorization": f"Bearer {token}"}

    return signed
