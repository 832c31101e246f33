"""The lists of HTML that a page of the portal may take over from docs.

What is not on the lists is removed. Scripts, styles, frames, forms and SVG never pass.
"""

from collections.abc import Callable

import nh3

_ALLOWED = """
    a abbr b blockquote br button caption center code col colgroup dd del details dfn
    div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i img input ins kbd label li
    mark ol p picture pre q s samp small span strong sub summary sup table tbody td
    tfoot th thead tr tt u ul var
"""
TAGS = set(_ALLOWED.split())
ATTRIBUTES: dict[str, set[str]] = {
    "*": {
        *("class", "id", "title", "dir", "lang", "role", "aria-label", "aria-hidden"),
        # READMEs centre their heads and set pictures beside the text with it.
        "align",
    },
    "a": {"href", "name"},
    "col": {"span"},
    "colgroup": {"span"},
    "details": {"open"},
    "img": {"src", "alt", "width", "height", "loading"},
    "input": {"type", "checked", "disabled", "name"},
    "label": {"for"},
    "li": {"value"},
    "ol": {"start", "type", "reversed"},
    "td": {"colspan", "rowspan", "headers"},
    "th": {"colspan", "rowspan", "scope", "headers"},
}
INPUTS = frozenset({"checkbox", "radio"})
SCHEMES = {"http", "https", "mailto", "tel", "data"}


def clean(
    html: str, attribute: Callable[[str, str, str], str | None] | None = None
) -> str:
    """`html` without what is not on the lists; `attribute` may change what is."""
    return nh3.clean(
        html,
        tags=TAGS,
        attributes=ATTRIBUTES,
        attribute_filter=attribute,
        url_schemes=SCHEMES,
        clean_content_tags={"script", "style", "svg", "math", "template"},
    )
