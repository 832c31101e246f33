"""How a reader wants the portal to look: two cookies, nothing on the server."""

from dataclasses import dataclass
from typing import Self

from shared.guards.cookies import cookie_in

THEMES = ("auto", "light", "dark")
DENSITIES = ("comfortable", "compact")
THEME_COOKIE = "callboard_theme"
DENSITY_COOKIE = "callboard_density"
COOKIE_SECONDS = 400 * 24 * 3600  # the longest that browsers keep a cookie


@dataclass(frozen=True, slots=True)
class DisplayPreferences:
    """Theme and density; unknown values in a cookie mean the defaults."""

    theme: str = "auto"
    density: str = "comfortable"

    @classmethod
    def of(cls, cookies: str | None) -> Self:
        """The preferences in the header of the reader's cookies."""
        theme = cookie_in(cookies, THEME_COOKIE)
        density = cookie_in(cookies, DENSITY_COOKIE)
        return cls(
            theme if theme in THEMES else "auto",
            density if density in DENSITIES else "comfortable",
        )
