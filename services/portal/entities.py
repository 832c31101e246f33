"""Entities as pages show them: titles, addresses, relations, errors.

Reads the API's JSON; sends no request.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from shared.contracts.entity import mapping_of
from shared.contracts.errors import Invalid
from shared.contracts.ref import parse_ref

Entity = Mapping[str, Any]
#: Characters; the descriptor itself shows the whole of a longer one.
LONGEST_TITLE = 200
#: How the names of Locations begin that stand for an address: a hash follows.
GENERATED = "generated-"

KIND_WORDS = {"api": "API"}
KINDS = (
    "component",
    "api",
    "resource",
    "system",
    "domain",
    "group",
    "user",
    "template",
    "location",
)
KIND_PLURALS = {
    "component": "Components",
    "api": "APIs",
    "resource": "Resources",
    "system": "Systems",
    "domain": "Domains",
    "group": "Groups",
    "user": "People",
    "template": "Templates",
    "location": "Locations",
}


@dataclass(frozen=True, slots=True)
class Summary:
    """What is shown of an entity wherever it is mentioned; `ref` is canonical."""

    ref: str
    kind: str
    kind_key: str
    title: str
    description: str = ""
    type: str = ""
    lifecycle: str = ""
    missing: bool = False

    @property
    def href(self) -> str:
        return entity_href(self.ref)


def split_ref(ref: str) -> tuple[str, str, str]:
    """Kind, namespace and name of a canonical ref."""
    kind, _, rest = ref.partition(":")
    namespace, _, name = rest.partition("/")
    return kind, namespace, name


def entity_href(ref: str) -> str:
    """The address of an entity's page."""
    kind, namespace, name = split_ref(ref)
    return "/catalog/" + "/".join(quote(part) for part in (namespace, kind, name))


def docs_href(ref: str) -> str:
    """The address of an entity's documentation."""
    return entity_href(ref).replace("/catalog/", "/docs/", 1)


def kind_word(kind: str) -> str:
    """A kind as it is written: `component` is Component, `api` is API."""
    return KIND_WORDS.get(kind.lower(), kind[:1].upper() + kind[1:])


def kind_plural(kind: str) -> str:
    """Several of a kind."""
    return KIND_PLURALS.get(kind.lower(), kind_word(kind) + "s")


def counted_kind(kind: str, count: int) -> str:
    """The word after a count: 1 Component, 2 Components; 1 Person."""
    if count != 1:
        return kind_plural(kind)
    return "Person" if kind.lower() == "user" else kind_word(kind)


def ref_title(ref: str) -> str:
    """A readable name of an entity of which only the ref is known."""
    _, namespace, name = split_ref(ref)
    return name if namespace == "default" else f"{namespace}/{name}"


def canonical(entity: Entity) -> str:
    """The canonical ref of an entity."""
    metadata = entity["metadata"]
    namespace = metadata.get("namespace") or "default"
    return f"{entity['kind']}:{namespace}/{metadata['name']}".lower()


def title_of(entity: Entity) -> str:
    """What people call an entity: display name, title, or name.

    A Location whose name is generated is called by the address that it stands for.
    """
    metadata, spec = entity["metadata"], mapping_of(entity.get("spec"))
    profile = mapping_of(spec.get("profile"))
    namespace = str(metadata.get("namespace") or "default")
    name = str(metadata["name"])
    plain = name if namespace == "default" else f"{namespace}/{name}"
    if str(entity["kind"]).lower() == "location" and name.startswith(GENERATED):
        plain = str(spec.get("target") or plain)
    title = str(profile.get("displayName") or metadata.get("title") or plain)
    return title if len(title) <= LONGEST_TITLE else f"{title[:LONGEST_TITLE]}…"


def summarize(ref: str, entity: Entity | None = None) -> Summary:
    """The summary of an entity, or of a ref that leads nowhere."""
    kind = split_ref(ref)[0]
    if entity is None:
        return Summary(ref, kind_word(kind), kind, ref_title(ref), missing=True)
    spec = mapping_of(entity.get("spec"))
    return Summary(
        ref=ref,
        kind=kind_word(str(entity.get("kind") or kind)),
        kind_key=kind,
        title=title_of(entity),
        description=str(entity["metadata"].get("description") or ""),
        type=str(spec.get("type") or ""),
        lifecycle=str(spec.get("lifecycle") or ""),
    )


def related(entity: Entity, *types: str) -> list[str]:
    """Canonical refs that an entity points to by these relations, in order."""
    relation_types = frozenset(types)
    return [
        str(relation["targetRef"]).lower()
        for relation in entity.get("relations") or ()
        if relation["type"] in relation_types
    ]


def spec_ref(entity: Entity, field: str, kind: str) -> str:
    """The canonical ref that a spec field names, "" if there is none or a bad one."""
    text = mapping_of(entity.get("spec")).get(field)
    namespace = str(entity["metadata"].get("namespace") or "default")
    if not isinstance(text, str):
        return ""
    try:
        return str(parse_ref(text, default_kind=kind, default_namespace=namespace))
    except Invalid:
        return ""


def annotation(entity: Entity, name: str) -> str:
    """An annotation's value, "" if there is none."""
    return str(mapping_of(entity["metadata"].get("annotations")).get(name) or "")


def errors_of(entity: Entity) -> list[Mapping[str, Any]]:
    """The status items that somebody must mend."""
    items = mapping_of(entity.get("status")).get("items") or ()
    return [item for item in items if item.get("level") == "error"]


def by_kind(summaries: Iterable[Summary]) -> dict[str, list[Summary]]:
    """Summaries grouped by kind, the kinds in their usual order."""
    groups: dict[str, list[Summary]] = {}
    for summary in summaries:
        groups.setdefault(summary.kind_key, []).append(summary)
    order = {kind: place for place, kind in enumerate(KINDS)}
    return dict(sorted(groups.items(), key=lambda pair: order.get(pair[0], len(KINDS))))
