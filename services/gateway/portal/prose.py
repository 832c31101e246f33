"""Markdown that other people wrote, as HTML that can do no harm.

HTML inside it is shown as text, pictures are left out (pages load nothing from
elsewhere), and only links that a browser may follow are links.
"""

from markdown_it import MarkdownIt
from markupsafe import Markup

MOST_CHARACTERS = 50_000
#: What a sign may cost at the worst, in microseconds: pages are rendered on the loop.
COSTS = {"\n": 33, "[": 11, "*": 5, "_": 5, "`": 5, "\\": 5, "<": 2, "&": 2}
MOST_MICROSECONDS = 60_000

# Stateless once it is made: rendering shares nothing between texts.
READER = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


def prose(text: object) -> Markup:
    """The text as safe HTML; nothing for nothing.

    A text of so many marks that rendering them would take long is shown as it is
    written.
    """
    written = str(text or "")[:MOST_CHARACTERS]
    if sum(written.count(sign) * cost for sign, cost in COSTS.items()) > (
        MOST_MICROSECONDS
    ):
        return Markup("<pre>{}</pre>").format(written)
    return Markup(READER.render(written))  # noqa: S704 - HTML in the text is escaped
