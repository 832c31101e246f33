"""Collators: an entity or a section of documentation becomes a record of the index.

Documents have the fields of Backstage's two collators. Templates are documents of type
`software-catalog` whose kind is Template, as there: clients filter them by kind.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from services.search.conditions import entity_marks, filter_mark
from services.search.measures import UNREADABLE
from services.search.model import (
    SOFTWARE_CATALOG,
    TECHDOCS,
    EntityPut,
    Facts,
    IndexRecord,
    PageSection,
    Version,
)
from shared.contracts.annotations import TECHDOCS_ENTITY, TECHDOCS_REF
from shared.contracts.entity import Entity, text_of
from shared.contracts.ref import canonical_ref, parse_ref

#: How much a document counts beside an equal one; an ordinary one counts 2.
WEIGHTS = {"location": 0.0, "user": 1.8, "domain": 2.2, "system": 2.2, "template": 2.2}
ORDINARY = 2.0
SECTION_WEIGHT = 1.2
FADED = {"deprecated": 0.4, "retired": 0.2, "experimental": 0.9}
#: What clients may filter by, beside `type` of the result itself.
FILTERABLE = ("kind", "namespace", "type", "componentType", "lifecycle", "owner")
DOCUMENTED = (TECHDOCS_REF, TECHDOCS_ENTITY)
LONGEST_SECTION = 50_000
HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def entity_record(change: EntityPut) -> IndexRecord:
    """An entity's record: found by its words, hidden or shown by its marks.

    One that cannot be read is bookkeeping alone, which nobody is shown: the others
    must be searchable, and the index agree with the catalog.
    """
    try:
        return _entity_record(change)
    except (TypeError, ValueError, RecursionError):
        UNREADABLE.inc()
        kept = {"version": _version(change.version)}
        return _bookkeeping(change.ref, kept)


def _entity_record(change: EntityPut) -> IndexRecord:
    ref, entity = parse_ref(change.ref), change.entity
    name, component_type = entity.name or ref.name, entity.type or "other"
    document = {
        "title": entity.title or name,
        "text": _description(entity),
        "componentType": component_type,
        "type": component_type,
        "namespace": text_of(entity.metadata.get("namespace")) or ref.namespace,
        "kind": entity.kind,
        "lifecycle": entity.lifecycle,
        "owner": entity.owner,
        "location": f"/catalog/{ref.namespace}/{ref.kind}/{ref.name}".lower(),
    }
    facts = Facts(
        document, name, _annotations(entity), entity_marks(entity), _weight(document)
    )
    return IndexRecord(
        role="entity",
        ref=change.ref,
        type=SOFTWARE_CATALOG,
        shown=True,
        document=document,
        marks=(*facts.marks, *_filter_marks(document, change.ref, entity)),
        keywords=_keywords(name, document["title"], entity),
        about=" ".join(filter(None, (_about(document, entity), change.operations))),
        weight=facts.weight,
        kept=_stored_values(change.version, facts),
    )


def _stored_values(version: Version, facts: Facts) -> dict[str, Any]:
    # Only what has documentation can have pages that inherit from it.
    documented = any(name in facts.annotations for name in DOCUMENTED)
    found = {"facts": _stored_facts(facts)} if documented else {}
    return {"version": _version(version), **found}


def gone_record(ref: str, version: Version) -> IndexRecord:
    """The tombstone: an event that comes late must not wake the dead."""
    kept = {"version": _version(version), "gone": True}
    return _bookkeeping(ref, kept)


def _bookkeeping(ref: str, kept: Mapping[str, Any]) -> IndexRecord:
    """An entity's record that is found by nothing."""
    return IndexRecord(
        "entity", ref, SOFTWARE_CATALOG, shown=False, document={}, kept=kept
    )


def site_record(ref: str, site: str) -> IndexRecord:
    """Which site the sections of this entity's documentation come from."""
    kept = {"site": site}
    return IndexRecord("site", ref, TECHDOCS, shown=False, document={}, kept=kept)


def section_records(
    ref: str, sections: Iterable[PageSection], facts: Facts | None
) -> Iterator[IndexRecord]:
    """A site's records, with their entity's policy; hidden until it is known."""
    for section in sections:
        if facts is None:
            document: dict[str, Any] = _section_words(section)
            yield IndexRecord("section", ref, TECHDOCS, shown=False, document=document)
        else:
            yield _section_record(ref, section, facts)


def _section_record(ref: str, section: PageSection, facts: Facts) -> IndexRecord:
    entity, parsed = facts.document, parse_ref(ref)
    place = f"/docs/{parsed.namespace}/{parsed.kind}/{parsed.name}/{section.path}"
    document = {
        "kind": parsed.kind,
        "namespace": parsed.namespace,
        "annotations": dict(facts.annotations),
        "name": facts.name,
        **_section_words(section),
        "componentType": entity["componentType"],
        "type": entity["type"],
        "lifecycle": entity["lifecycle"],
        "owner": entity["owner"],
        "location": place,
        "entityTitle": entity["title"],
    }
    return IndexRecord(
        role="section",
        ref=ref,
        type=TECHDOCS,
        shown=True,
        document=document,
        marks=(*facts.marks, *_filter_marks(document, ref, Entity({}))),
        about=" ".join((str(entity["title"]), facts.name, str(entity["owner"]))),
        weight=min(SECTION_WEIGHT, facts.weight),
    )


def _section_words(section: PageSection) -> dict[str, Any]:
    return {
        "title": section.title,
        "text": section.text[:LONGEST_SECTION],
        "path": section.path,
    }


def section_of(document: Mapping[str, Any]) -> PageSection:
    """The section that a record's document was made from."""
    return PageSection(
        str(document["path"]), str(document["title"]), str(document["text"])
    )


def facts_of(kept: Mapping[str, Any]) -> Facts | None:
    """What pages inherit, out of an entity's kept values; None once it is gone."""
    found = kept.get("facts")
    if found is None:
        return None
    return Facts(
        found["document"],
        found["name"],
        found["annotations"],
        tuple(found["marks"]),
        found["weight"],
    )


def version_of(kept: Mapping[str, Any]) -> Version:
    """The version out of an entity's kept values."""
    found = kept["version"]
    return Version(found["uid"], found["revision"], found["at"])


def _version(version: Version) -> dict[str, Any]:
    return {"uid": version.uid, "revision": version.revision, "at": version.at}


def _stored_facts(facts: Facts) -> dict[str, Any]:
    return {
        "document": facts.document,
        "name": facts.name,
        "annotations": facts.annotations,
        "marks": facts.marks,
        "weight": facts.weight,
    }


def _description(entity: Entity) -> str:
    # Backstage's DefaultCatalogCollatorEntityTransformer joins these with " : ".
    texts = [entity.description]
    if entity.kind.lower() in ("user", "group"):
        texts.append(text_of(entity.profile.get("displayName")))
    if entity.kind.lower() == "user":
        texts.append(text_of(entity.profile.get("email")))
    return " : ".join(text for text in texts if text)


def _annotations(entity: Entity) -> dict[str, str]:
    return {
        key: text_of(value)
        for key, value in entity.annotations.items()
        if key.startswith("backstage.io/")
    }


def _weight(document: Mapping[str, Any]) -> float:
    weight = WEIGHTS.get(str(document["kind"]).lower(), ORDINARY)
    return weight * FADED.get(str(document["lifecycle"]).lower(), 1.0)


def _keywords(name: str, title: str, entity: Entity) -> str:
    words = [name, *entity.tags, text_of(entity.profile.get("displayName"))]
    # OrderService is found by "service" too.
    words += [split for word in (name, title) if (split := HUMP.sub(" ", word)) != word]
    return " ".join(word for word in words if word)


def _about(document: Mapping[str, Any], entity: Entity) -> str:
    words = [document[field] for field in ("kind", "type", "lifecycle", "owner")]
    parents = ("system", "domain", "parent")
    words += [text_of(entity.spec.get(field)) for field in parents]
    return " ".join(dict.fromkeys(word for word in words if word))


def _filter_marks(document: Mapping[str, Any], ref: str, entity: Entity) -> list[str]:
    namespace = str(document["namespace"])
    found = [filter_mark(field, document[field]) for field in FILTERABLE]
    found += [
        filter_mark("name", parse_ref(ref).name),
        filter_mark("entityRef", ref),
        *(filter_mark("tags", tag) for tag in entity.tags),
    ]
    for field, kind in (("owner", "group"), ("system", "system"), ("domain", "domain")):
        value = text_of(entity.spec.get(field)) or (document.get(field) or "")
        if value:
            full = canonical_ref(str(value), kind, namespace)
            found += [filter_mark(field, value), filter_mark(field, full)]
    return found
