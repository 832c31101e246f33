"""The versions of all indexed entities and sites, in memory.

The ledger is read from the index when it is opened. It decides whether a change is new,
and its checksums are compared with those of catalog and techdocs.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.search.documents import version_of
from services.search.model import Checksum, Version


@dataclass(slots=True)
class Ledger:
    """Live entities, tombstones and sites. About 250 bytes an entity."""

    entities: dict[str, Version] = field(default_factory=dict)
    tombstones: dict[str, Version] = field(default_factory=dict)
    sites: dict[str, str] = field(default_factory=dict)
    _entity_sum: int = 0
    _site_sum: int = 0

    @classmethod
    def of(cls, holdings: Iterable[tuple[str, str, Mapping[str, Any]]]) -> "Ledger":
        """Make the ledger of the records of an index."""
        ledger = cls()
        for role, ref, values in holdings:
            if role == "site":
                ledger.set_site(ref, str(values["site"]))
            else:
                ledger.set_entity(
                    ref, version_of(values), is_deleted=bool(values.get("gone"))
                )
        return ledger

    def version_of(self, ref: str) -> Version | None:
        """The last version of an entity or of its tombstone."""
        return self.entities.get(ref) or self.tombstones.get(ref)

    def set_entity(
        self, ref: str, version: Version, *, is_deleted: bool = False
    ) -> None:
        """Record the indexed version of an entity, or of its tombstone."""
        previous = self.entities.pop(ref, None)
        if previous is not None:
            self._entity_sum ^= digest(ref, previous.revision)
        self.tombstones.pop(ref, None)
        if is_deleted:
            self.tombstones[ref] = version
            return
        self.entities[ref] = version
        self._entity_sum ^= digest(ref, version.revision)

    def old_tombstones(self, before: float) -> list[str]:
        """The entities that were deleted before this time."""
        return [ref for ref, version in self.tombstones.items() if version.at < before]

    def forget(self, ref: str) -> None:
        """Remove the tombstone of an entity."""
        self.tombstones.pop(ref, None)

    def set_site(self, ref: str, site: str | None) -> None:
        """Record the indexed site of an entity, or none."""
        previous = self.sites.pop(ref, None)
        if previous is not None:
            self._site_sum ^= digest(ref, previous)
        if site is not None:
            self.sites[ref] = site
            self._site_sum ^= digest(ref, site)

    @property
    def entity_checksum(self) -> Checksum:
        """The checksum to compare with the catalog's."""
        return Checksum(len(self.entities), f"{self._entity_sum:016x}")

    @property
    def site_checksum(self) -> Checksum:
        """The checksum to compare with techdocs'."""
        return Checksum(len(self.sites), f"{self._site_sum:016x}")


def digest(ref: str, version: int | str) -> int:
    """The part of one entity or site in a checksum; parts are combined by XOR."""
    text = f"{ref}@{version}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
