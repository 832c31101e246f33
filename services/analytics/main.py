"""How analytics is put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.analytics import api
from services.analytics.events import ActivityConsumer
from services.analytics.rights import CatalogRights, ReaderRights
from services.analytics.settings import Settings
from shared.kit.config.settings import read_settings
from shared.kit.http.apps import make_app
from shared.kit.http.clients import ServiceCalls
from shared.kit.http.service_tokens import PrincipalTokens
from shared.kit.http.serving import serve

NAME = "analytics"


def create_app(
    settings: Settings | None = None, *, rights: ReaderRights | None = None
) -> FastAPI:
    """The analytics service; `rights` takes the place of the catalog's."""
    settings = settings or read_settings(Settings)
    secret = settings.service_secret.get_secret_value()
    activity = ActivityConsumer(settings.event_log, settings.folder)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with ServiceCalls(secret, NAME, settings.urls()) as calls, activity:
            app.state.figures = api.Figures(activity, rights or CatalogRights(calls))
            yield

    app = make_app(NAME, lifespan=lifespan)
    app.state.tokens = PrincipalTokens(secret)
    app.state.checks["tables"] = activity.check
    app.include_router(api.router)
    return app


def main() -> None:
    """Run analytics until it is told to stop."""
    settings = read_settings(Settings)
    serve(NAME, lambda: create_app(settings), settings)


if __name__ == "__main__":
    main()
