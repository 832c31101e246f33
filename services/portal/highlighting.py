"""Highlights the words that were searched for: search answers them between two tags.

The tags become `<mark>`; everything else in the text is escaped, as people wrote it.
"""

import re

from markupsafe import Markup, escape

SNIPPET = 260
BEFORE = 70


def highlight(text: str, pre: str, post: str) -> Markup:
    """The whole text with the words between the tags in `<mark>`."""
    if not pre or not post:
        return escape(text)
    pieces = re.split(f"{re.escape(pre)}(.*?){re.escape(post)}", text, flags=re.DOTALL)
    return Markup("").join(
        Markup("<mark>{}</mark>").format(piece) if number % 2 else escape(piece)
        for number, piece in enumerate(pieces)
    )


def snippet(text: str, pre: str, post: str) -> Markup:
    """A few lines around the first highlighted word, else the text's beginning."""
    # Headings in documentation end with the sign of their permanent link.
    flat = " ".join(text.replace("¶", " ").split())
    at = flat.find(pre) if pre else -1
    start = max(0, at - BEFORE)
    if start:
        start = flat.rfind(" ", 0, start) + 1
    excerpt = flat[start:]
    cut = _snippet_end(excerpt, pre, post)
    lead = "… " if start else ""
    tail = " …" if cut < len(excerpt) else ""
    return escape(lead) + highlight(excerpt[:cut], pre, post) + escape(tail)


def _snippet_end(text: str, pre: str, post: str) -> int:
    """Where the snippet ends: after about `SNIPPET` letters, never inside a mark."""
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
