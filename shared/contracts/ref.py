"""Entity refs: `[kind:][namespace/]name`, compared without regard to case.

The rule is Backstage's `parseEntityRef` and `stringifyEntityRef` (catalog-model).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.contracts.errors import Invalid

DEFAULT_NAMESPACE = "default"
#: Characters of a text that an error repeats; a ref has 191 at most.
_LONGEST_QUOTED = 200


@dataclass(frozen=True, slots=True)
class EntityRef:
    """Kind, namespace and name as written; `str()` gives the canonical lower case."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.namespace}/{self.name}".lower()


def parse_ref(
    text: str,
    *,
    default_kind: str | None = None,
    default_namespace: str = DEFAULT_NAMESPACE,
) -> EntityRef:
    """Parse a ref; its case is kept.

    Raises:
        Invalid: if a part is empty, or the kind is missing without a default.
    """
    colon, slash = text.find(":"), text.find("/")
    # If a slash comes before the colon, the colon belongs to the name.
    kind, remainder = (
        (text[:colon], text[colon + 1 :])
        if colon >= 0 and not 0 <= slash < colon
        else (None, text)
    )
    namespace, slash_found, name = remainder.partition("/")
    if not slash_found:
        namespace, name = default_namespace, remainder
    kind = default_kind if kind is None else kind
    if kind is None:
        raise Invalid(
            f"Entity reference {quoted(text)} had missing or empty kind "
            '(e.g. did not start with "component:" or similar)'
        )
    if not kind or not namespace or not name:
        raise Invalid(
            f"Entity reference {quoted(text)} was not on the form "
            "[<kind>:][<namespace>/]<name>"
        )
    return EntityRef(kind, namespace, name)


def quoted(text: str) -> str:
    """A text that is meant for a ref in quotes; of a very long one the beginning."""
    is_short = len(text) <= _LONGEST_QUOTED
    return repr(text) if is_short else f"{text[:_LONGEST_QUOTED]!r}…"


def canonical_ref(text: str, kind: str, namespace: str) -> str:
    """The canonical ref of `text`, short of its kind or namespace as it may be.

    A text that is no ref has one as well, which leads nowhere.
    """
    before, colon, rest = text.partition(":")
    if not colon:
        before, rest = kind, text
    return f"{before}:{rest if '/' in rest else f'{namespace}/{rest}'}".lower()


def ref_of(entity: Mapping[str, Any]) -> EntityRef:
    """The ref of an entity document.

    Raises:
        Invalid: if kind or metadata.name is missing.
    """
    metadata = entity.get("metadata")
    if not isinstance(metadata, Mapping):
        raise Invalid("metadata: must be an object")
    kind, name = entity.get("kind"), metadata.get("name")
    if not isinstance(kind, str) or not kind:
        raise Invalid("kind: must be a non-empty string")
    if not isinstance(name, str) or not name:
        raise Invalid("metadata.name: must be a non-empty string")
    return EntityRef(kind, str(metadata.get("namespace") or DEFAULT_NAMESPACE), name)
