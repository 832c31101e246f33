"""Pictures of other hosts, which browsers refuse: a link stands in their place.

The HTML is cleaned already, so that its elements are spelled in one way.
"""

import re
from html import escape, unescape

from shared.contracts.errors import Invalid
from shared.guards.addresses import split_address

_LINK_OR_PICTURE = re.compile(r'<(/?a|img)((?: [a-z-]+="[^"]*")*)>')
_ATTRIBUTE = re.compile(r' ([a-z-]+)="([^"]*)"')


def foreign_host(address: str) -> str:
    """The host that an address names, "" for one of the site's own."""
    try:
        return split_address(address).netloc
    except Invalid:
        return ""


def with_links_to_pictures(html: str) -> str:
    """The article with the text of each foreign picture, as a link to the picture.

    The text is the alternative text, else the address. In a link it is the link's.
    """
    is_in_link = False

    def text_or_element(match: re.Match[str]) -> str:
        nonlocal is_in_link
        attributes = {
            name: unescape(value) for name, value in _ATTRIBUTE.findall(match[2])
        }
        if match[1] != "img":
            is_in_link = "href" in attributes
            return match[0]
        address = attributes.get("src", "")
        if not foreign_host(address):
            return match[0]
        text = escape(attributes.get("alt", "").strip() or address)
        return text if is_in_link else f'<a href="{escape(address)}">{text}</a>'

    return _LINK_OR_PICTURE.sub(text_or_element, html)
