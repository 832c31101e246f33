"""A small company for the portal's tests: about forty entities."""

import hashlib
from typing import Any

Entity = dict[str, Any]

ANN = "user:default/ann"
GUEST = "user:development/guest"

PEOPLE = {
    "ann": ("Ann Becker", "box-office-team"),
    "bao": ("Bao Tran", "box-office-team"),
    "carla": ("Carla Ruiz", "payments-team"),
    "dmitri": ("Dmitri Volkov", "payments-team"),
    "esi": ("Esi Mensah", "platform-team"),
    "frank": ("Frank Osei", "stage-team"),
}
GROUPS = {
    "playhouse": ("Playhouse", "organization", None),
    "box-office-team": ("Box Office", "team", "playhouse"),
    "payments-team": ("Payments", "team", "playhouse"),
    "platform-team": ("Platform", "team", "playhouse"),
    "stage-team": ("Stage", "team", "playhouse"),
}
COMPONENTS = [
    ("seat-map", "Seat map", "website", "production", "box-office-team", "sales"),
    ("booking", "Booking", "service", "production", "box-office-team", "sales"),
    ("basket", "Basket", "service", "production", "box-office-team", "sales"),
    ("checkout", "Checkout", "service", "production", "payments-team", "money"),
    ("refunds", "Refunds", "service", "experimental", "payments-team", "money"),
    ("ledger", "Ledger", "service", "production", "payments-team", "money"),
    ("old-till", "Old till", "service", "deprecated", "payments-team", "money"),
    ("programme", "Programme", "website", "production", "stage-team", "stage"),
    ("rehearsal-planner", "", "service", "experimental", "stage-team", "stage"),
    ("ticket-printer", "", "library", "production", "box-office-team", "sales"),
    ("house-style", "House style", "library", "production", "platform-team", ""),
]
DESCRIPTIONS = {
    "booking": "Holds seats while somebody decides, and sells them once they have.",
    "seat-map": "The picture of the auditorium in which people choose their seats.",
    "checkout": "Takes the money: cards, vouchers and invoices, through one provider.",
    "ledger": "Every payment and refund, for ever; what accounting reads.",
}
APIS = [
    ("booking-api", "Booking API", "openapi", "box-office-team", "sales"),
    ("ticket-events", "Ticket events", "asyncapi", "box-office-team", "sales"),
    ("ledger-api", "Ledger API", "grpc", "payments-team", "money"),
    ("programme-graph", "Programme", "graphql", "stage-team", "stage"),
]
DEPENDS = {
    "seat-map": ["component:default/booking", "component:default/house-style"],
    "booking": ["resource:default/seats-db", "component:default/ticket-printer"],
    "checkout": ["component:default/ledger", "component:default/gone"],
    "refunds": ["component:default/ledger"],
    "ledger": ["resource:default/ledger-db"],
}
PROVIDES = {
    "booking": ["booking-api", "ticket-events"],
    "ledger": ["ledger-api"],
    "programme": ["programme-graph"],
}
CONSUMES = {
    "seat-map": ["booking-api", "programme-graph"],
    "basket": ["booking-api"],
    "checkout": ["ledger-api", "ticket-events"],
    "refunds": ["ledger-api"],
}
INVERSE = {
    "ownedBy": "ownerOf",
    "partOf": "hasPart",
    "dependsOn": "dependencyOf",
    "providesApi": "apiProvidedBy",
    "consumesApi": "apiConsumedBy",
    "memberOf": "hasMember",
    "childOf": "parentOf",
}


def entity(kind: str, name: str, spec: Entity, **metadata: Any) -> Entity:
    """An entity as the API gives it, its relations still to be added."""
    place = "https://git.playhouse.example/house/blob/main/catalog-info.yaml"
    annotations = {
        "backstage.io/managed-by-location": f"url:{place}",
        "backstage.io/managed-by-origin-location": f"url:{place}",
        "backstage.io/view-url": place,
        "backstage.io/edit-url": place.replace("/blob/", "/edit/"),
        **metadata.pop("annotations", {}),
    }
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": kind,
        "metadata": {
            "namespace": "default",
            "name": name,
            "uid": f"uid-{kind.lower()}-{name}",
            "etag": f"etag-{name}",
            "annotations": annotations,
            **{key: value for key, value in metadata.items() if value},
        },
        "spec": spec,
        "relations": [],
    }


def company() -> dict[str, Entity]:
    """All entities by canonical ref, relations in both directions."""
    every = [*_people(), *_components(), *_apis(), *_parts()]
    entities = {_ref(entity): entity for entity in every}
    for ref, entity in list(entities.items()):
        for kind, target in _declared_relations(entity):
            entity["relations"].append({"type": kind, "targetRef": target})
            if target in entities:
                inverse = {"type": INVERSE[kind], "targetRef": ref}
                entities[target]["relations"].append(inverse)
    for entity in entities.values():
        entity["relations"].sort(key=lambda item: (item["type"], item["targetRef"]))
    return entities


def _people() -> list[Entity]:
    groups = [
        entity(
            "Group",
            name,
            {
                "type": kind,
                "children": [],
                "profile": {"displayName": title, "email": f"{name}@playhouse.example"},
                **({"parent": parent} if parent else {}),
            },
            description=f"The {title} team.",
        )
        for name, (title, kind, parent) in GROUPS.items()
    ]
    users = [
        entity(
            "User",
            name,
            {"memberOf": [group], "profile": {"displayName": title}},
        )
        for name, (title, group) in PEOPLE.items()
    ]
    return groups + users


def _components() -> list[Entity]:
    components = [
        entity(
            "Component",
            name,
            {
                "type": kind,
                "lifecycle": lifecycle,
                "owner": owner,
                **({"system": system} if system else {}),
                "dependsOn": DEPENDS.get(name, []),
                "providesApis": PROVIDES.get(name, []),
                "consumesApis": CONSUMES.get(name, []),
            },
            title=title,
            description=DESCRIPTIONS.get(name, "Does what its name says."),
            tags=["python", "tier-1"] if kind == "service" else ["typescript"],
            links=[
                {"url": "https://runbook.example/x", "title": "Runbook"},
                {"url": "javascript:alert(1)", "title": "Trap"},
            ]
            if name == "booking"
            else [],
            annotations={"backstage.io/techdocs-ref": "dir:."}
            if name in {"booking", "ledger"}
            else {},
        )
        for name, title, kind, lifecycle, owner, system in COMPONENTS
    ]
    broken = next(
        component
        for component in components
        if component["metadata"]["name"] == "basket"
    )
    broken["status"] = {
        "items": [
            {
                "type": "backstage.io/catalog-processing",
                "level": "error",
                "message": "InputError: spec.system: must be a string, line 9",
            }
        ]
    }
    return components


def _apis() -> list[Entity]:
    return [
        entity(
            "API",
            name,
            {
                "type": kind,
                "lifecycle": "production",
                "owner": owner,
                "system": system,
                "definition": "openapi: 3.1.0\ninfo: {title: Booking, version: '1'}\n"
                "paths: {/bookings: {post: {summary: Book seats}}}\n",
            },
            title=title,
        )
        for name, title, kind, owner, system in APIS
    ]


def _parts() -> list[Entity]:
    systems = [("sales", "Sales"), ("money", "Money"), ("stage", "Stage")]
    parts = [
        entity(
            "System",
            name,
            {"owner": "platform-team", "domain": "theatre"},
            title=title,
            description=f"Everything about {title.lower()}.",
        )
        for name, title in systems
    ]
    for name, system in (("seats-db", "sales"), ("ledger-db", "money")):
        spec = {"type": "database", "owner": "platform-team", "system": system}
        parts.append(entity("Resource", name, spec))
    parts.append(entity("Domain", "theatre", {"owner": "playhouse"}, title="Theatre"))
    parts.append(
        entity(
            "Template",
            "python-service",
            {"type": "service", "owner": "platform-team", "steps": []},
            title="Python service",
            description="A service with docs, tests and a pipeline, in two minutes.",
            tags=["python"],
        )
    )
    parts.append(
        entity("Location", "generated-abc", {"type": "url", "target": "https://x.y/z"})
    )
    return parts


def refuse(api: Any, ref: str, message: str) -> str:
    """Refuse a document of the file that everything is from; its Location's ref."""
    place = "https://git.playhouse.example/house/blob/main/catalog-info.yaml"
    digest = hashlib.sha1(f"url:{place}".encode(), usedforsecurity=False).hexdigest()
    location = entity("Location", f"generated-{digest}", {"target": place})
    error = {"name": "InputError", "entityRef": ref, "line": 7}
    item = {"level": "error", "message": f"InputError: {message}", "error": error}
    location["status"] = {"items": [item]}
    source = f"location:default/generated-{digest}"
    api.entities[source] = location
    return source


def _declared_relations(entity: Entity) -> list[tuple[str, str]]:
    spec, kind = entity["spec"], entity["kind"]
    relations = []
    if "owner" in spec:
        relations.append(("ownedBy", f"group:default/{spec['owner']}"))
    if "system" in spec:
        relations.append(("partOf", f"system:default/{spec['system']}"))
    if "domain" in spec:
        relations.append(("partOf", f"domain:default/{spec['domain']}"))
    if kind == "Group" and "parent" in spec:
        relations.append(("childOf", f"group:default/{spec['parent']}"))
    relations += [
        ("memberOf", f"group:default/{name}") for name in spec.get("memberOf", [])
    ]
    relations += [("dependsOn", target) for target in spec.get("dependsOn", [])]
    relations += [
        ("providesApi", f"api:default/{n}") for n in spec.get("providesApis", [])
    ]
    relations += [
        ("consumesApi", f"api:default/{n}") for n in spec.get("consumesApis", [])
    ]
    return relations


def _ref(entity: Entity) -> str:
    metadata = entity["metadata"]
    return f"{entity['kind']}:{metadata['namespace']}/{metadata['name']}".lower()


def history(ref: str) -> list[dict[str, Any]]:
    """Two revisions of an entity: a push, and its registration."""
    name = ref.rpartition("/")[2]
    return [
        {
            "revision": 2,
            "at": "2026-11-22T15:20:00Z",
            "actor": "user:default/ann",
            "cause": {
                "kind": "push",
                "repository": "git.playhouse.example/house",
                "commit": "4f1c9a7be2d04f1c9a7be2d04f1c9a7be2d0aaaa",
                "subject": f"Say what {name} is for",
                "author": "Ann Becker",
            },
            "changed": ["metadata.description"],
            "diff": [
                {
                    "path": "metadata.description",
                    "before": "To be written",
                    "after": "Holds seats <b>while</b> somebody decides",
                }
            ],
        },
        {
            "revision": 1,
            "at": "2026-11-20T09:00:00Z",
            "actor": "user:default/esi",
            "cause": {"kind": "registration", "location": "url:https://git.x/y"},
            "changed": [],
            "diff": [],
        },
    ]


def changes_of(
    ref: str, entity: Entity, revisions: list[Any] | None
) -> list[dict[str, Any]]:
    """An entity's revisions as the catalog's list of changes has them."""
    title = entity["metadata"].get("title") or entity["metadata"]["name"]
    return [
        {
            "entityRef": ref,
            "title": title,
            "kind": entity["kind"],
            "deleted": False,
            **{key: value for key, value in revision.items() if key != "diff"},
        }
        for revision in revisions or history(ref)
    ]
