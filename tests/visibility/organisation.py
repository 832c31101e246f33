"""An organisation made from a seed: some 500 entities, 20 users, and who sees what.

Every entity's texts hold a word of its own, so that a page that names it is found out.
An entity names only what all its readers see: an author's own words hide nothing.
"""

import json
import random
from dataclasses import dataclass, field
from typing import Any

from services.gateway.model import Identity
from shared.contracts.ref import ref_of

SEED = 20_261_128
PLATFORM = "group:default/platform"
RESTRICTED = {"callboard.dev/visibility": "restricted"}
COUNTS = {
    "Group": 30, "User": 40, "Domain": 10, "System": 40, "Resource": 60, "API": 60,
    "Component": 230, "Template": 20, "Location": 10,
}  # fmt: skip
API_VERSION = "backstage.io/v1alpha1"
TEMPLATES = "scaffolder.backstage.io/v1beta3"
#: No host of any configuration: such docs fail at once, and are told as failed.
DOCS = "url:https://git.nowhere.example/x/y/tree/main/"
FILES = 12
UNOWNED = frozenset({"Group", "User", "Location"})


def word(number: int) -> str:
    """A name that is part of no other."""
    return f"zq{number:04d}x"


@dataclass(slots=True)
class Organisation:
    """Entities by ref, which of them are restricted, and who asks."""

    entities: dict[str, dict[str, Any]] = field(default_factory=dict)
    restricted: set[str] = field(default_factory=set)
    owners: dict[str, str] = field(default_factory=dict)
    files: list[list[str]] = field(default_factory=list)
    users: list[Identity] = field(default_factory=list)

    def visible(self, who: Identity) -> set[str]:
        """The plain rule, entity by entity."""
        if who.is_service or (who.kind == "user" and PLATFORM in who.ownership):
            return set(self.entities)
        return {
            ref
            for ref in self.entities
            if ref not in self.restricted or self.owners.get(ref) in who.ownership
        }

    def hidden_words(self, who: Identity) -> set[str]:
        """The words that must not reach somebody."""
        hidden = set(self.entities) - self.visible(who)
        return {ref.rpartition("/")[2] for ref in hidden}


class _Maker:
    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.company = Organisation()
        self.open: dict[str, list[str]] = {kind: [] for kind in COUNTS}
        self.own: dict[tuple[str, str], list[str]] = {}
        self.groups: list[str] = []
        self.count = 0

    def pool(self, kind: str, owner: str) -> list[str]:
        """What an entity may name: the open, and the restricted of its own owner."""
        return self.open[kind] + self.own.get((kind, owner), [])

    def some(self, kind: str, owner: str = "", most: int = 3) -> list[str]:
        refs = self.pool(kind, owner)
        return self.chance.sample(refs, min(len(refs), self.chance.randrange(most)))

    def one(self, kind: str, owner: str = "") -> str | None:
        refs = self.pool(kind, owner)
        return self.chance.choice(refs) if refs else None

    def add(self, kind: str) -> None:
        is_restricted = self.chance.random() < (0.1 if kind in UNOWNED else 0.3)
        owner = "" if kind in UNOWNED else str(self.one("Group"))
        name = word(self.count)
        self.count += 1
        entity: dict[str, Any] = {
            "apiVersion": TEMPLATES if kind == "Template" else API_VERSION,
            "kind": kind,
            "metadata": {
                "name": name,
                "title": f"{name} title",
                "description": f"about {name}",
                "tags": [f"{name}tag", "common"],
                "annotations": dict(RESTRICTED) if is_restricted else {},
            },
            "spec": self.spec(kind, name, owner if is_restricted else ""),
        }
        if owner:
            entity["spec"]["owner"] = owner
        if kind in {"Component", "System", "API"} and self.chance.random() < 0.2:
            entity["metadata"]["annotations"]["backstage.io/techdocs-ref"] = DOCS
        ref = str(ref_of(entity))
        self.company.entities[ref] = entity
        if owner:
            self.company.owners[ref] = owner
        if kind == "Group":
            self.groups.append(ref)
        if not is_restricted:
            self.open[kind].append(ref)
        else:
            self.company.restricted.add(ref)
            if owner:
                self.own.setdefault((kind, owner), []).append(ref)

    def spec(self, kind: str, name: str, owner: str) -> dict[str, Any]:
        if kind == "Group":
            parent = self.one("Group")
            more = {"parent": parent} if parent else {}
            return {"type": "team", "children": [], **more}
        if kind == "User":
            profile = {"displayName": f"{name} person"}
            return {"memberOf": self.some("Group"), "profile": profile}
        if kind == "Location":
            return {"type": "url", "targets": []}
        if kind == "System":
            domain = self.one("Domain", owner)
            return {"domain": domain} if domain else {}
        if kind == "Template":
            step = {"id": "a", "action": "debug:log", "input": {"message": name}}
            form = {"title": name, "properties": {"a": {"type": "string"}}}
            return {"type": "service", "parameters": form, "steps": [step]}
        return {} if kind == "Domain" else self.software(kind, name, owner)

    def software(self, kind: str, name: str, owner: str) -> dict[str, Any]:
        spec: dict[str, Any] = {"type": self.chance.choice(["a", "b", f"{name}type"])}
        system = self.one("System", owner)
        if system and self.chance.random() < 0.7:
            spec["system"] = system
        if kind == "API":
            info = {"title": name, "version": "1"}
            definition = json.dumps({"openapi": "3.0.0", "info": info, "paths": {}})
            return {**spec, "lifecycle": "production", "definition": definition}
        spec["dependsOn"] = self.some("Resource", owner) + self.some("Component", owner)
        if kind == "Component":
            spec["lifecycle"] = "production"
            spec["providesApis"] = self.some("API", owner)
            spec["consumesApis"] = self.some("API", owner)
        return spec

    def identities(self) -> list[Identity]:
        groups = self.groups
        readers = []
        for number in range(18):
            ref = f"user:default/reader-{number:02d}"
            own = self.chance.sample(groups, number % 5)
            readers.append(Identity(ref, "user", (ref, *own)))
        keeper, guest = "user:default/keeper", "user:development/guest"
        readers[0] = Identity(keeper, "user", (keeper, PLATFORM))
        # What counts is the kind: a guest is in no group, whatever the claims say.
        return [
            *readers,
            Identity(guest, "guest", (guest,)),
            Identity(guest, "guest", (guest, PLATFORM)),
        ]


def organisation(seed: int = SEED) -> Organisation:
    """The same one for the same seed."""
    maker = _Maker(seed)
    for kind, count in COUNTS.items():
        for _ in range(count):
            maker.add(kind)
    company = maker.company
    company.users = maker.identities()
    refs = sorted(company.entities)
    maker.chance.shuffle(refs)
    closed = [ref for ref in refs if ref in company.restricted]
    # Three files of restricted entities alone: their registrations are none of others'.
    company.files = [closed[0:10], closed[10:15], closed[15:16]]
    rest = [ref for ref in refs if ref not in set(closed[:16])]
    company.files += [rest[start::FILES] for start in range(FILES)]
    return company
