"""The catalog's reading routes over a read model, without the rest of the service."""

from typing import Any

from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from services.catalog.api import permissions
from services.catalog.api.entities import add_routes
from services.catalog.readmodel import ReadModel
from shared.kit.http.apps import make_app
from shared.kit.http.service_tokens import PrincipalTokens


def reading_app(model: ReadModel, tokens: PrincipalTokens) -> FastAPI:
    app = make_app("catalog", lifespan=None)
    app.state.readmodel = model
    app.state.tokens = tokens
    add_routes(app)
    app.include_router(permissions.router)
    return app


def client_of(app: FastAPI, headers: dict[str, str] | None = None) -> AsyncClient:
    transport = ASGITransport(app)
    return AsyncClient(transport=transport, base_url="http://catalog", headers=headers)


async def ask(client: AsyncClient, path: str, body: Any = None) -> Any:
    if body is None:
        answer = await client.get(path)
    else:
        answer = await client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refused(client: AsyncClient, path: str, body: Any = None) -> dict[str, Any]:
    if body is None:
        answer = await client.get(path)
    else:
        answer = await client.post(path, json=body)
    error: dict[str, Any] = answer.json()["error"]
    return {"status": answer.status_code, **error}


def names(items: list[dict[str, Any]]) -> list[str]:
    return [item["metadata"]["name"] for item in items]
