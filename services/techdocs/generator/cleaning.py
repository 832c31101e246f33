"""The lists of HTML that a page of the portal may take over from docs.

What is not on the lists is removed. Scripts, styles, frames, forms and SVG never pass.
"""

import re
from collections.abc import Callable, Iterable, Iterator

import nh3

_ALLOWED = """
    a abbr audio b blockquote br button caption center code col colgroup dd del details
    dfn div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i img input ins kbd label li
    mark ol p picture pre q s samp small source span strong sub summary sup table tbody
    td tfoot th thead tr track tt u ul var video
"""
TAGS = set(_ALLOWED.split())
ATTRIBUTES: dict[str, set[str]] = {
    "*": {
        *("class", "id", "title", "dir", "lang", "role", "aria-label", "aria-hidden"),
        # READMEs centre their heads and set pictures beside the text with it.
        "align",
    },
    "a": {"href", "name"},
    "audio": {"src", "loop", "muted", "preload"},
    "col": {"span"},
    "colgroup": {"span"},
    "details": {"open"},
    "img": {"src", "srcset", "sizes", "alt", "width", "height", "loading"},
    "input": {"type", "checked", "disabled", "name"},
    "label": {"for"},
    "li": {"value"},
    "ol": {"start", "type", "reversed"},
    "source": {"src", "srcset", "sizes", "type", "media", "width", "height"},
    "td": {"colspan", "rowspan", "headers"},
    "th": {"colspan", "rowspan", "scope", "headers"},
    "track": {"src", "kind", "srclang", "label", "default"},
    "video": {
        *("src", "poster", "width", "height"),
        *("loop", "muted", "preload", "playsinline"),
    },
}
#: What readers play begins only when they say so.
_ALWAYS = {"audio": {"controls": ""}, "video": {"controls": ""}}
#: An input as the sanitizer writes it.
_INPUT = re.compile(r'<input(?: [a-z-]+="[^"]*")*>')
_COMMENT = re.compile(r"<!--.*?(?:-->|$)", re.DOTALL)
_REMOVED = re.compile(
    "<(applet|canvas|embed|form|frame|iframe|input|math|object|script|select|textarea)"
    r"\b([^<>]*)",
    re.IGNORECASE,
)
_MARK_TYPE = re.compile(r"""\btype=["']?(?:checkbox|radio)\b""", re.IGNORECASE)
LINK_SCHEMES = frozenset({"http", "https", "mailto", "tel"})
SCHEMES = {*LINK_SCHEMES, "data"}
#: The elements that load what their `src` names.
_MEDIA = frozenset({"img", "video", "audio", "source", "track"})
#: Candidates of a `srcset` that are read.
_CANDIDATES = 50
_DESCRIPTOR = re.compile(r"[0-9.]{1,10}[wxh]")


def clean(
    html: str, attribute: Callable[[str, str, str], str | None] | None = None
) -> str:
    """`html` without what is not on the lists; `attribute` may change what is."""
    cleaned = nh3.clean(
        html,
        tags=TAGS,
        attributes=ATTRIBUTES,
        attribute_filter=attribute,
        url_schemes=SCHEMES,
        clean_content_tags={"script", "style", "svg", "math", "template"},
        set_tag_attribute_values=_ALWAYS,
    )
    return _INPUT.sub(_input, cleaned)


def with_media_addresses(
    tag: str, name: str, value: str, address: Callable[[str], str | None]
) -> str | None:
    """The value of an attribute with the addresses that its element loads changed.

    `address` gives the new one, None for none. None if no address is left.
    """
    if name == "srcset":
        candidates = ((address(old), size) for old, size in _candidates(value))
        return _srcset((new, size) for new, size in candidates if new) or None
    if name == "poster" or (name == "src" and tag in _MEDIA):
        return address(value)
    return value


def _candidates(srcset: str) -> Iterator[tuple[str, str]]:
    """The addresses of a `srcset`, each with its descriptor, "" for none."""
    rest = " ".join(srcset.split())
    for _ in range(_CANDIDATES):
        address, _, rest = rest.lstrip(" ,").partition(" ")
        descriptor = ""
        if not address.endswith(","):
            descriptor, _, rest = rest.partition(",")
        if address:
            yield address.rstrip(","), descriptor.strip()


def _srcset(candidates: Iterable[tuple[str, str]]) -> str:
    return ", ".join(
        f"{address} {descriptor}" if _DESCRIPTOR.fullmatch(descriptor) else address
        for address, descriptor in candidates
    )


def removed_elements(html: str) -> list[str]:
    """The names of elements with content that `clean` removes, in their order."""
    matches = _REMOVED.finditer(_COMMENT.sub("", html))
    names = [
        match[1].lower()
        for match in matches
        if match[1].lower() != "input" or not _MARK_TYPE.search(match[2])
    ]
    return list(dict.fromkeys(names))


def _input(match: re.Match[str]) -> str:
    """The marks of task lists and the radio buttons of tabs; nothing is filled in."""
    tag = match[0].lower()
    if ' type="radio"' in tag:
        return match[0]
    if ' type="checkbox"' not in tag:
        return ""
    is_disabled = ' disabled="' in tag
    return match[0] if is_disabled else f'{match[0][:-1]} disabled="">'
