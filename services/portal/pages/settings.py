"""Settings: how the portal looks, and the account that the reader signed in with.

`pages/preferences.py` stores the choices.
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
    visitor = visit.visitor
    names = await visit.summaries(visitor.ownership)
    own = [ref for ref in visitor.ownership if ref != visitor.subject]
    return visit.page(
        "settings.html",
        title="Settings",
        nav="settings",
        themes=[(value, THEME_WORDS[value]) for value in THEMES],
        densities=[(value, DENSITY_WORDS[value]) for value in DENSITIES],
        visitor=visitor,
        groups=[names[ref] for ref in own],
    )
