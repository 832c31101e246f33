"""Whether a document that is no entity asks to be hidden, as far as can be told."""

import re
from collections.abc import Mapping
from typing import Any

from shared.contracts.annotations import PUBLIC, VISIBILITY
from shared.contracts.entity import mapping_of

#: `VISIBILITY` as the key of a text that cannot be parsed, and not public.
_VISIBILITY = re.compile(
    rb"(?i)callboard\.dev\\?/visibility[\"']?\s*+:\s*+[\"']?+(?!public\b)"
)


def asks_to_be_restricted(document: Any) -> bool:
    """Whether a document that may be invalid asks to be hidden, or may mean to."""
    if not isinstance(document, Mapping):
        return False
    metadata = document.get("metadata")
    if _is_unclear(document) or _is_unclear(metadata):
        return True
    parts = mapping_of(metadata)
    for pairs in (parts.get("annotations"), parts.get("labels")):
        if _is_unclear(pairs):
            return True
        for key, value in mapping_of(pairs).items():
            if isinstance(key, str) and key.strip().lower() == VISIBILITY:
                text = value if isinstance(value, str) else str(value or "")[:40]
                if text.strip().lower() not in ("", PUBLIC):
                    return True
    return False


def _is_unclear(part: Any) -> bool:
    """Whether it cannot be told what a part was meant to say, or its placeholder."""
    if not isinstance(part, Mapping):
        return bool(part)
    return any(isinstance(key, str) and key.startswith("$") for key in part)


def may_ask_to_be_restricted(body: bytes) -> bool:
    """Whether a text that cannot be parsed has a visibility other than public."""
    # Without NUL, UTF-16 reads as UTF-8.
    return _VISIBILITY.search(body.replace(b"\0", b"")) is not None
