"""Which version of what the index holds, in memory: decides whether a change is news.

Read from the index when it is opened and kept beside it; its checksums are compared
with the owners'.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.search.documents import version_of
from services.search.model import Sum, Version


@dataclass(slots=True)
class Ledger:
    """Live entities, tombstones and sites. About 250 bytes an entity."""

    entities: dict[str, Version] = field(default_factory=dict)
    gone: dict[str, Version] = field(default_factory=dict)
    sites: dict[str, str] = field(default_factory=dict)
    _entity_sum: int = 0
    _site_sum: int = 0

    @classmethod
    def of(cls, holdings: Iterable[tuple[str, str, Mapping[str, Any]]]) -> "Ledger":
        """The ledger of what an index says it holds."""
        ledger = cls()
        for role, ref, kept in holdings:
            if role == "site":
                ledger.set_site(ref, str(kept["site"]))
            else:
                ledger.set_entity(ref, version_of(kept), gone=bool(kept.get("gone")))
        return ledger

    def version_of(self, ref: str) -> Version | None:
        """The last version heard of, of the living or the dead."""
        return self.entities.get(ref) or self.gone.get(ref)

    def set_entity(self, ref: str, version: Version, *, gone: bool = False) -> None:
        """The index holds this version now, or the tombstone of it."""
        before = self.entities.pop(ref, None)
        if before is not None:
            self._entity_sum ^= digest(ref, before.revision)
        self.gone.pop(ref, None)
        if gone:
            self.gone[ref] = version
            return
        self.entities[ref] = version
        self._entity_sum ^= digest(ref, version.revision)

    def old_tombs(self, before: float) -> list[str]:
        """Whose deletion was told before this time: no event is that late."""
        return [ref for ref, version in self.gone.items() if version.at < before]

    def forget(self, ref: str) -> None:
        """The index holds no tombstone of this entity any more."""
        self.gone.pop(ref, None)

    def set_site(self, ref: str, site: str | None) -> None:
        """The index holds the sections of this site now, or none."""
        before = self.sites.pop(ref, None)
        if before is not None:
            self._site_sum ^= digest(ref, before)
        if site is not None:
            self.sites[ref] = site
            self._site_sum ^= digest(ref, site)

    @property
    def entity_sum(self) -> Sum:
        """What the catalog's checksum must equal."""
        return Sum(len(self.entities), f"{self._entity_sum:016x}")

    @property
    def site_sum(self) -> Sum:
        """What techdocs' checksum must equal."""
        return Sum(len(self.sites), f"{self._site_sum:016x}")


def digest(ref: str, version: int | str) -> int:
    """One thing's part in a checksum; parts are combined by exclusive or."""
    text = f"{ref}@{version}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
