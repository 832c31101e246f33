"""Which kinds may come from where (`catalog.rules`, and the rules of a location).

A kind is allowed if any rule allows it; the default allows what Backstage's does.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from services.catalog.descriptor.kinds import Kinds, built_in_kinds
from services.catalog.model import LocationRef
from shared.contracts.entity import Entity
from shared.guards.globs import Glob

DEFAULT_KINDS = ("Component", "API", "Location")


@lru_cache(1024)
def rule_glob(pattern: str) -> Glob:
    """A pattern of targets: hidden names match and case does not count.

    Raises:
        Invalid: if it is too long or its braces come to too many.
    """
    return Glob(pattern, dot=True, ignore_case=True, label="catalog.rules: pattern")


@dataclass(frozen=True, slots=True)
class KindPattern:
    """A kind, and one `spec.type` of it if given; case does not count."""

    kind: str
    spec_type: str | None = None

    def covers(self, entity: Entity) -> bool:
        """Whether the entity is of this kind and type."""
        if entity.kind.lower() != self.kind.lower():
            return False
        if self.spec_type is None:
            return True
        return entity.type.lower() == self.spec_type.lower()


@dataclass(frozen=True, slots=True)
class LocationPattern:
    """Locations of a type, by their exact target or by a pattern (`rule_glob`)."""

    type: str
    exact: str | None = None
    pattern: str | None = None

    def covers(self, origin: LocationRef) -> bool:
        """Whether the location is one of these."""
        if origin.type != self.type:
            return False
        if self.exact is not None and origin.target != self.exact:
            return False
        return self.pattern is None or rule_glob(self.pattern).matches(origin.target)


@dataclass(frozen=True, slots=True)
class AllowedKinds:
    """Kinds that are allowed; `where` None: from everywhere."""

    kinds: tuple[KindPattern, ...]
    locations: tuple[LocationPattern, ...] | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of an installation, and the kinds that it has."""

    rules: Sequence[AllowedKinds]
    kinds: Kinds = field(default_factory=built_in_kinds)

    def allow(self, entity: Entity, origin: LocationRef) -> bool:
        """Whether an entity may come from a root location."""
        return any(
            any(kind.covers(entity) for kind in rule.kinds)
            and (
                rule.locations is None
                or any(pattern.covers(origin) for pattern in rule.locations)
            )
            for rule in self.rules
        )

    @property
    def fingerprint(self) -> str:
        """Equal as long as the rules are: what was read under others is read anew."""
        digest = hashlib.blake2b(repr(self.rules).encode(), digest_size=8)
        for name in sorted(self.kinds.keys() - built_in_kinds().keys()):
            digest.update(self.kinds[name].digest.encode())
        return digest.hexdigest()


DEFAULT = AllowedKinds(tuple(KindPattern(kind) for kind in DEFAULT_KINDS))
