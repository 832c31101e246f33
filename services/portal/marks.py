"""Found words, marked: what the search answers between its tags becomes `<mark>`.

Everything else in the text is escaped: it is other people's.
"""

import re

from markupsafe import Markup, escape

SNIPPET = 260
BEFORE = 70


def marked(text: str, pre: str, post: str) -> Markup:
    """The whole text with its found words marked."""
    if not pre or not post:
        return escape(text)
    pieces = re.split(f"{re.escape(pre)}(.*?){re.escape(post)}", text, flags=re.DOTALL)
    return Markup("").join(
        Markup("<mark>{}</mark>").format(piece) if number % 2 else escape(piece)
        for number, piece in enumerate(pieces)
    )


def snippet(text: str, pre: str, post: str) -> Markup:
    """A few lines around the first found word; the beginning if there is none."""
    # Headings in documentation end with the sign of their permanent link.
    flat = " ".join(text.replace("¶", " ").split())
    at = flat.find(pre) if pre else -1
    start = max(0, at - BEFORE)
    if start:
        start = flat.rfind(" ", 0, start) + 1
    excerpt = flat[start:]
    cut = _cut(excerpt, pre, post)
    lead = "… " if start else ""
    tail = " …" if cut < len(excerpt) else ""
    return escape(lead) + marked(excerpt[:cut], pre, post) + escape(tail)


def _cut(text: str, pre: str, post: str) -> int:
    """Where to end: about `SNIPPET` readable letters on, never inside a mark."""
    if not pre or not post:
        return _at_word(text, SNIPPET)
    length = place = 0
    for match in re.finditer(f"{re.escape(pre)}.*?{re.escape(post)}", text, re.DOTALL):
        plain = match.start() - place
        if length + plain > SNIPPET:
            break
        length += plain + len(match[0]) - len(pre) - len(post)
        place = match.end()
        if length > SNIPPET:
            return place
    return place + _at_word(text[place:], SNIPPET - length)


def _at_word(text: str, most: int) -> int:
    if len(text) <= most:
        return len(text)
    space = text.rfind(" ", 0, most)
    return space if space > 0 else most
