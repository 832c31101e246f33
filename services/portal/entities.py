"""Entities as pages show them: titles, addresses, relations, errors.

Reads the API's JSON; sends no request.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from shared.contracts.entity import Entity, StatusItem, text_of
from shared.contracts.errors import Invalid
from shared.contracts.ref import DEFAULT_NAMESPACE, parse_ref

#: Characters; the descriptor itself shows the whole of a longer one.
LONGEST_TITLE = 200
#: How the names of Locations begin that stand for an address: a hash follows.
GENERATED = "generated-"

#: The spec field that makes a relation, and the kind that it names by default.
SPEC_FIELDS = {"ownedBy": ("owner", "group"), "partOf": ("system", "system")}

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
    "user": "Users",
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
    """The word after a count: 1 Component, 2 Components."""
    return kind_word(kind) if count == 1 else kind_plural(kind)


def ref_title(ref: str) -> str:
    """A readable name of an entity of which only the ref is known.

    A text that is no whole ref is its own name.
    """
    kind, namespace, name = split_ref(ref)
    if not (kind and namespace and name):
        return clipped_title(ref)
    return clipped_title(
        name if namespace == DEFAULT_NAMESPACE else f"{namespace}/{name}"
    )


def ref_from(namespace: str, kind: str, name: str) -> str:
    """The canonical ref in the address of an entity's page."""
    return f"{kind}:{namespace}/{name}".lower()


def entities_of(items: Iterable[Mapping[str, Any] | None]) -> list[Entity]:
    """The entities of an answer; those that the reader may not see are null in it."""
    return [Entity(item) for item in items if item]


def title_of(entity: Entity) -> str:
    """What people call an entity: display name, title, or name.

    A Location whose name is generated is called by the address that it stands for.
    """
    is_plain = entity.namespace == DEFAULT_NAMESPACE
    plain = entity.name if is_plain else f"{entity.namespace}/{entity.name}"
    if entity.kind.lower() == "location" and entity.name.startswith(GENERATED):
        plain = text_of(entity.spec.get("target")) or plain
    title = text_of(entity.profile.get("displayName")) or entity.title or plain
    return clipped_title(title)


def clipped_title(title: str) -> str:
    """A title, or the beginning of a very long one."""
    return title if len(title) <= LONGEST_TITLE else f"{title[:LONGEST_TITLE]}…"


def summarize(ref: str, entity: Entity | None = None) -> Summary:
    """The summary of an entity, or of a ref that leads nowhere."""
    kind = split_ref(ref)[0]
    if entity is None:
        return Summary(ref, kind_word(kind), kind, ref_title(ref), missing=True)
    return Summary(
        ref=ref,
        kind=kind_word(entity.kind or kind),
        kind_key=kind,
        title=title_of(entity),
        description=entity.description,
        type=entity.type,
        lifecycle=entity.lifecycle,
    )


def summary_of(entity: Entity) -> Summary:
    """The summary of an entity."""
    return summarize(str(entity.ref), entity)


def related_refs(entity: Entity, *types: str) -> list[str]:
    """Canonical refs that an entity points to by these relations, or by any."""
    return [
        str(relation["targetRef"]).lower()
        for relation in entity.raw.get("relations") or ()
        if not types or relation["type"] in types
    ]


def spec_ref(entity: Entity, field: str, kind: str) -> str:
    """The canonical ref that a spec field names, "" if there is none or a bad one."""
    text = entity.spec.get(field)
    if not isinstance(text, str):
        return ""
    try:
        ref = parse_ref(text, default_kind=kind, default_namespace=entity.namespace)
    except Invalid:
        return ""
    return str(ref)


def first_ref(entity: Entity, relation: str) -> str:
    """The first ref of a relation, else of the spec field for it, "" if none.

    A component may be part of a component and of a system: the system comes first.
    """
    refs = related_refs(entity, relation)
    field, kind = SPEC_FIELDS[relation]
    of_kind = (ref for ref in refs if split_ref(ref)[0] == kind)
    return next(of_kind, refs[0]) if refs else spec_ref(entity, field, kind)


def annotation(entity: Entity, name: str) -> str:
    """An annotation's value, "" if there is none."""
    return text_of(entity.annotations.get(name))


def errors_of(entity: Entity) -> list[StatusItem]:
    """The status items that somebody must fix."""
    return [item for item in entity.status_items if item.level == "error"]


def by_kind(summaries: Iterable[Summary]) -> dict[str, list[Summary]]:
    """Summaries grouped by kind, the kinds in their usual order."""
    groups: dict[str, list[Summary]] = {}
    for summary in summaries:
        groups.setdefault(summary.kind_key, []).append(summary)
    order = {kind: place for place, kind in enumerate(KINDS)}
    return dict(sorted(groups.items(), key=lambda pair: order.get(pair[0], len(KINDS))))
