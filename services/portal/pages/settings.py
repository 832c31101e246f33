"""Settings: how the portal looks, and who one is to it.

The choices themselves are kept by `pages/preferences.py`.
"""

from fastapi import APIRouter
from starlette.responses import Response

from services.portal.preferences import DENSITIES, THEMES
from services.portal.visit import Visiting

THEME_WORDS = {"auto": "As the system", "light": "Light", "dark": "Dark"}
DENSITY_WORDS = {"comfortable": "Comfortable", "compact": "Compact"}

router = APIRouter()


@router.get("/settings")
async def settings(visit: Visiting) -> Response:
    """Theme, density, and the reader's own refs as the policy sees them."""
    identity = visit.identity
    names = await visit.summaries(identity.ownership)
    own = [ref for ref in identity.ownership if ref != identity.subject]
    return visit.page(
        "settings.html",
        title="Settings",
        nav="settings",
        themes=[(value, THEME_WORDS[value]) for value in THEMES],
        densities=[(value, DENSITY_WORDS[value]) for value in DENSITIES],
        identity=identity,
        groups=[names[ref] for ref in own],
    )
