"""A catalog of any size for measuring: as varied as a real one, the same every time."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from services.catalog.model import StoredEntity, StoredRelation
from shared.contracts.catalog import Cause
from shared.contracts.entity import Entity

WORDS = [
    "account", "ledger", "invoice", "payment", "checkout", "basket", "order",
    "shipping", "parcel", "stock", "price", "catalog", "product", "review", "rating",
    "customer", "profile", "login", "session", "token", "audit", "report", "metric",
    "alert", "billing", "refund", "voucher", "campaign", "email", "push", "chat",
    "support", "ticket", "search", "index", "feed", "stream", "event", "queue", "batch",
    "export", "import", "sync", "backup", "restore", "archive", "media", "image",
    "video", "upload", "download", "map", "route", "driver", "vehicle", "fleet",
    "booking", "hotel", "flight", "seat", "loyalty", "fraud", "risk", "score", "model",
    "training", "feature", "experiment", "config", "gateway", "proxy", "cache",
]  # fmt: skip
TAGS = ["java", "python", "go", "typescript", "rust", "grpc", "graphql", "data", "ml"]
NOW = datetime(2026, 1, 2, tzinfo=UTC)
CAUSE = Cause(kind="registration", location="url:https://git.example/all.yaml")
PARENT = "location:default/generated-0000000000000000000000000000000000000000"


class Catalog:
    """`size` entities: 70 % components, 15 % APIs, the rest shared by other kinds."""

    def __init__(self, size: int, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._counts = {
            "Group": max(2, size // 50),
            "User": max(1, size // 40),
            "System": max(1, size // 20),
            "Resource": size // 20,
            "API": size * 15 // 100,
        }
        self._counts["Component"] = size - sum(self._counts.values())
        self.names = {
            kind: [self._name(kind, number) for number in range(count)]
            for kind, count in self._counts.items()
        }

    def _name(self, kind: str, number: int) -> str:
        first, second = WORDS[number * 7 % len(WORDS)], WORDS[number * 13 % len(WORDS)]
        return f"{first}-{second}-{kind[0].lower()}{number:05}"

    def ref(self, kind: str) -> str:
        """The ref of any entity of a kind."""
        return f"{kind.lower()}:default/{self._random.choice(self.names[kind])}"

    def entities(self) -> Iterator[StoredEntity]:
        for kind, names in self.names.items():
            for name in names:
                yield self.entity(kind, name)

    def entity(self, kind: str, name: str, revision: int = 1) -> StoredEntity:
        ref = f"{kind.lower()}:default/{name}"
        relations = [StoredRelation("ownedBy", self.ref("Group"), "ownerOf")]
        relations.append(StoredRelation("partOf", self.ref("System"), "hasPart"))
        if kind == "Component":
            relations.append(
                StoredRelation("consumesApi", self.ref("API"), "apiConsumedBy")
            )
            other = self.ref("Component")
            relations.append(StoredRelation("dependsOn", other, "dependencyOf"))
        location = f"file:/catalog/part-{self._random.randrange(1, 500):04}.yaml"
        return StoredEntity(
            ref=ref,
            uid=f"{self._random.getrandbits(128):032x}",
            revision=revision,
            entity=Entity(self._document(kind, name, relations, location)),
            relations=tuple(relations),
            location=location,
            origin="file:/catalog/all.yaml",
            location_key=location,
            created=NOW,
            updated=NOW,
            cause=CAUSE,
            parents=(PARENT,),
        )

    def _document(
        self, kind: str, name: str, relations: list[StoredRelation], location: str
    ) -> dict[str, Any]:
        pick = self._random
        spec: dict[str, Any] = {
            "type": pick.choice(["service"] * 5 + ["website", "library"]),
            "lifecycle": pick.choice(["production", "experimental", "deprecated"]),
            "owner": relations[0].target,
            "system": relations[1].target,
        }
        if kind == "API":
            spec["definition"] = "openapi: 3.0.0\n" + "  /path: {}\n" * 60
        if kind == "Component":
            spec["consumesApis"] = [relations[2].target]
            spec["dependsOn"] = [relations[3].target]
        metadata = {
            "name": name,
            "namespace": "default",
            "uid": f"{pick.getrandbits(128):032x}",
            "etag": f"{pick.getrandbits(160):040x}",
            "title": name.replace("-", " ").title(),
            "description": " ".join(pick.choices(WORDS, k=14)).capitalize() + ".",
            "tags": sorted(set(pick.choices(TAGS, k=3))),
            "labels": {"example.com/tier": pick.choice(["gold", "silver"])},
            "links": [{"url": f"https://dash.example.com/{name}", "title": "Dash"}],
            "annotations": {
                "backstage.io/managed-by-location": location,
                "backstage.io/managed-by-origin-location": "file:/catalog/all.yaml",
                "github.com/project-slug": f"example/{name}",
                "example.com/cost-center": f"cc-{pick.randint(100, 999)}",
            },
        }
        return {
            "apiVersion": "backstage.io/v1alpha1",
            "kind": kind,
            "metadata": metadata,
            "spec": spec,
        }
