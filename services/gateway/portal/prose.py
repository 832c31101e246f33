"""Markdown that other people wrote, as HTML that can do no harm.

HTML inside it is shown as text, pictures are left out (pages load nothing from
elsewhere), and only links that a browser may follow are links.
"""

from markdown_it import MarkdownIt
from markupsafe import Markup

MOST_CHARACTERS = 50_000
#: What a sign may cost at the worst, in microseconds: pages are rendered on the loop.
COSTS = {"\n": 33, "[": 19, "*": 6, "_": 6, "`": 5, "\\": 5, "<": 35, "&": 6}
MOST_MICROSECONDS = 60_000

# Stateless once it is made: rendering shares nothing between texts.
READER = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


def prose(text: object) -> Markup:
    """The text as safe HTML; nothing for nothing.

    A text of so many marks that rendering them would take long is shown as it is
    written.
    """
    return ProseBudget(MOST_MICROSECONDS).render(text)


class ProseBudget:
    """What all texts of a page may cost together; the rest is shown as written."""

    def __init__(self, microseconds: int) -> None:
        self._left = microseconds

    def render(self, text: object) -> Markup:
        """The text as `prose` makes it, as long as something is left."""
        written = str(text or "")[:MOST_CHARACTERS]
        cost = sum(written.count(sign) * each for sign, each in COSTS.items())
        if cost > min(self._left, MOST_MICROSECONDS):
            return Markup("<pre>{}</pre>").format(written)
        self._left -= cost
        return Markup(READER.render(written))  # noqa: S704 - HTML in it is escaped
