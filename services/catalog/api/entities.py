"""All reading routes of the catalog, the most frequent first."""

from fastapi import APIRouter

from services.catalog.api import (
    facets,
    operations,
    pages,
    permissions,
    single,
    snapshot,
)

router = APIRouter()
router.routes.extend(
    [
        *single.routes,
        *pages.routes,
        *facets.routes,
        *permissions.routes,
        *snapshot.routes,
        *operations.routes,
    ]
)
routers = (router,)
