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
    metadata = document.get("metadata") or {}
    if not isinstance(metadata, Mapping) or any(
        str(k).startswith("$") for k in metadata
    ):
        # Whatever it, or the text that it is read from, was meant to say.
        return True
    for pairs in (metadata.get("annotations"), metadata.get("labels")):
        if pairs and not isinstance(pairs, Mapping):
            # Whatever it was meant to say.
            return True
        for key, value in mapping_of(pairs).items():
            if isinstance(key, str) and key.strip().lower() == VISIBILITY:
                text = value if isinstance(value, str) else str(value or "")[:40]
                if text.strip().lower() not in ("", PUBLIC):
                    return True
    return False


def may_ask_to_be_restricted(body: bytes) -> bool:
    """Whether a text that cannot be parsed has a visibility other than public."""
    # Without NUL, UTF-16 reads as UTF-8.
    return _VISIBILITY.search(body.replace(b"\0", b"")) is not None
