"""Collators: an entity or a section of documentation becomes a record of the index.

Documents have the fields of Backstage's two collators. Templates are documents of type
`software-catalog` whose kind is Template, as there: clients filter them by kind.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from services.search.conditions import entity_marks, filter_mark, full_ref
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
from shared.contracts.ref import parse_ref

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
    metadata, spec = _mapping(entity.get("metadata")), _mapping(entity.get("spec"))
    kind, namespace = _text(entity.get("kind")), ref.namespace
    name = _text(metadata.get("name")) or ref.name
    kind_of_it = _text(spec.get("type")) or "other"
    document = {
        "title": _text(metadata.get("title")) or name,
        "text": _description(kind, metadata, spec),
        "componentType": kind_of_it,
        "type": kind_of_it,
        "namespace": _text(metadata.get("namespace")) or namespace,
        "kind": kind,
        "lifecycle": _text(spec.get("lifecycle")),
        "owner": _text(spec.get("owner")),
        "location": f"/catalog/{namespace}/{ref.kind}/{ref.name}".lower(),
    }
    facts = Facts(
        document, name, _annotations(metadata), entity_marks(entity), _weight(document)
    )
    return IndexRecord(
        role="entity",
        ref=change.ref,
        type=SOFTWARE_CATALOG,
        shown=True,
        document=document,
        marks=(*facts.marks, *_filter_marks(document, change.ref, metadata, spec)),
        keywords=_keywords(name, document["title"], metadata, spec),
        about=" ".join(filter(None, (_about(document, spec), change.operations))),
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
        marks=(*facts.marks, *_filter_marks(document, ref, {}, {})),
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


def _description(
    kind: str, metadata: Mapping[str, Any], spec: Mapping[str, Any]
) -> str:
    # Backstage's collator joins these with " : " (pairs *-search-*).
    texts = [_text(metadata.get("description"))]
    profile = _mapping(spec.get("profile"))
    if kind.lower() in ("user", "group"):
        texts.append(_text(profile.get("displayName")))
    if kind.lower() == "user":
        texts.append(_text(profile.get("email")))
    return " : ".join(text for text in texts if text)


def _annotations(metadata: Mapping[str, Any]) -> dict[str, str]:
    return {
        key: _text(value)
        for key, value in _mapping(metadata.get("annotations")).items()
        if key.startswith("backstage.io/")
    }


def _weight(document: Mapping[str, Any]) -> float:
    weight = WEIGHTS.get(str(document["kind"]).lower(), ORDINARY)
    return weight * FADED.get(str(document["lifecycle"]).lower(), 1.0)


def _keywords(
    name: str, title: str, metadata: Mapping[str, Any], spec: Mapping[str, Any]
) -> str:
    words = [name, *(_text(tag) for tag in _items(metadata.get("tags")))]
    words.append(_text(_mapping(spec.get("profile")).get("displayName")))
    # OrderService is found by "service" too.
    words += [split for word in (name, title) if (split := HUMP.sub(" ", word)) != word]
    return " ".join(word for word in words if word)


def _about(document: Mapping[str, Any], spec: Mapping[str, Any]) -> str:
    words = [document[field] for field in ("kind", "type", "lifecycle", "owner")]
    words += [_text(spec.get(field)) for field in ("system", "domain", "parent")]
    return " ".join(dict.fromkeys(word for word in words if word))


def _filter_marks(
    document: Mapping[str, Any],
    ref: str,
    metadata: Mapping[str, Any],
    spec: Mapping[str, Any],
) -> list[str]:
    namespace = str(document["namespace"])
    found = [filter_mark(field, document[field]) for field in FILTERABLE]
    found += [
        filter_mark("name", parse_ref(ref).name),
        filter_mark("entityRef", ref),
        *(filter_mark("tags", tag) for tag in _items(metadata.get("tags"))),
    ]
    for field, kind in (("owner", "group"), ("system", "system"), ("domain", "domain")):
        value = _text(spec.get(field)) or (document.get(field) or "")
        if value:
            full = full_ref(str(value), kind, namespace)
            found += [filter_mark(field, value), filter_mark(field, full)]
    return found


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    """Words out of what should be words: a descriptor may hold anything."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) else ""
