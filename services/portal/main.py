"""How the portal is put together: its pages, and the API that they call."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.portal.configuration import PagesConfig
from services.portal.public_api import PublicApi
from services.portal.router import make_portal
from services.portal.settings import Settings
from shared.kit.config.sections import load_config
from shared.kit.config.settings import read_settings
from shared.kit.http.apps import make_app
from shared.kit.http.serving import serve

NAME = "portal"


def create_app(
    settings: Settings | None = None, *, config: PagesConfig | None = None
) -> FastAPI:
    """The portal's process: pages, and the health and metrics of every service."""
    settings = settings or read_settings(Settings)
    config = config or load_config(settings.config, os.environ, PagesConfig)
    api = PublicApi(settings.gateway_url)

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        async with api:
            yield

    app = make_app(NAME, lifespan=running)
    app.state.checks["gateway"] = api.check
    pages = make_portal(
        api,
        organization=config.organization.name,
        development=config.auth.development_sign_in,
        file_locations=config.catalog.file_locations,
        is_policy_enabled=config.permission.enabled,
        host_types=config.integrations.types(),
    )
    app.mount("/", pages)
    return app


def main() -> None:
    """Run the portal until it is told to stop."""
    settings = read_settings(Settings)
    serve(NAME, lambda: create_app(settings), settings)


if __name__ == "__main__":
    main()
