"""The catalog's reading routes over a read model, without the rest of the service."""

from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from services.catalog.api.entities import routers
from services.catalog.readmodel import ReadModel
from shared.kit.auth import PrincipalTokens
from shared.kit.web import make_app


def reading_app(model: ReadModel, tokens: PrincipalTokens) -> FastAPI:
    app = make_app("catalog", lifespan=None)
    app.state.readmodel = model
    app.state.tokens = tokens
    for router in routers:
        app.include_router(router)
    return app


def client_of(app: FastAPI, headers: dict[str, str] | None = None) -> AsyncClient:
    transport = ASGITransport(app)
    return AsyncClient(transport=transport, base_url="http://catalog", headers=headers)
