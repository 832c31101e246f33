"""A small catalog behind its reading routes, and a Git host."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from httpx import AsyncClient

from services.catalog.readmodel import ReadModel
from shared.kit.http.service_tokens import PrincipalTokens
from tests import builders
from tests.catalog.entities_app import client_of, reading_app
from tests.catalog.readmodels import model_of, stored
from tests.catalog.running import Host

Headers = Callable[..., dict[str, str]]
TEAM = "group:default/team-a"
PARENT = "location:default/generated-1"


@pytest.fixture
def host(data: Path) -> Host:
    return Host(data)


@pytest.fixture
def model() -> ReadModel:
    location = builders.entity("Location", "generated-1", {"target": "x"})
    names = ["web", "cart", "billing", "audit", "search"]
    components = [
        builders.component(
            name,
            {"tags": ["java"], "title": f"The {name.title()}"},
            type="service" if name < "d" else "library",
        )
        for name in names
    ]
    return model_of(
        *(stored(c, ("ownedBy", TEAM), parents=[PARENT]) for c in components),
        stored(builders.group("team-a")),
        stored(location),
    )


@pytest.fixture
async def client(
    model: ReadModel, tokens: PrincipalTokens, principal_headers: Headers
) -> AsyncIterator[AsyncClient]:
    app = reading_app(model, tokens)
    async with client_of(app, principal_headers()) as client:
        yield client
