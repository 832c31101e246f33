"""A long API definition apart from its entity: stored once, named by its content.

The entity that is stored, indexed and published carries a reference in the place of the
text. Who reads the entity through the API gets the text (ADR 0019). A short definition
stays in its entity.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.contracts.entity import Entity

#: The key of a reference: no author can write it, `problem` refuses it.
KEY = "$definition"
BYTES = "bytes"
#: A text up to here stays in its entity: it can be read while the store is away.
INLINE_LIMIT = 16_384
DEFINITION_LIMIT = 5_000_000


@dataclass(frozen=True, slots=True)
class Reference:
    """The BLAKE2b hash of a definition's UTF-8 text, and its length."""

    hash: str
    bytes: int

    def as_value(self) -> dict[str, Any]:
        """The value of `spec.definition` in the entity."""
        return {KEY: self.hash, BYTES: self.bytes}


def reference_in(value: Any) -> Reference | None:
    """The reference that a value is, or None for any other value."""
    if not isinstance(value, Mapping) or value.keys() != {KEY, BYTES}:
        return None
    name, size = value[KEY], value[BYTES]
    if not isinstance(name, str) or not isinstance(size, int):
        return None
    return Reference(name, size)


def reference_of(entity: Entity) -> Reference | None:
    """The reference in an entity's `spec.definition`, if it has one."""
    if entity.kind.lower() != "api":
        return None
    return reference_in(entity.spec.get("definition"))


def text_of(entity: Entity) -> str | None:
    """The text of an API's `spec.definition`; None for anything else."""
    text = entity.spec.get("definition") if entity.kind.lower() == "api" else None
    return text if isinstance(text, str) else None


def problem(entity: Entity) -> str | None:
    """The rule that an entity's definition breaks, if it breaks one."""
    if reference_of(entity) is not None:
        return f"spec.definition: must be a string; {KEY} is not for descriptors"
    size = len((text_of(entity) or "").encode(errors="surrogatepass"))
    if size > DEFINITION_LIMIT:
        return (
            f"spec.definition: {size:,} bytes, at most {DEFINITION_LIMIT:,} are kept; "
            "publish it elsewhere and link to it"
        )
    return None


def hash_of(text: str) -> str:
    """The name under which a text is stored."""
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


def separate_definition(entity: Entity) -> tuple[Entity, str | None]:
    """The entity with a reference for its definition, and the text if it is long."""
    text = text_of(entity)
    if text is None or len(text) * 4 <= INLINE_LIMIT:
        return entity, None
    size = len(text.encode())
    if size <= INLINE_LIMIT:
        return entity, None
    reference = Reference(hash_of(text), size)
    return entity.with_spec(definition=reference.as_value()), text
