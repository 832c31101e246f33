"""Markdown that other people wrote, as HTML that can do no harm.

HTML inside it is shown as text, pictures are left out (pages load nothing from
elsewhere), and only links that a browser may follow are links.
"""

from markdown_it import MarkdownIt
from markupsafe import Markup

MOST_CHARACTERS = 50_000

# Stateless once it is made: rendering shares nothing between texts.
READER = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


def prose(text: object) -> Markup:
    """The text as safe HTML; nothing for nothing."""
    written = str(text or "")[:MOST_CHARACTERS]
    return Markup(READER.render(written))  # noqa: S704 - HTML in the text is escaped
