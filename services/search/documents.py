"""Collators: make records of the index from entities and sections of documentation.

Documents have the fields of Backstage's two collators. As in Backstage, templates are
documents of type `software-catalog` with the kind Template.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from services.search.conditions import entity_marks, filter_mark
from services.search.metrics import UNREADABLE
from services.search.model import (
    SOFTWARE_CATALOG,
    TECHDOCS,
    Document,
    EntityUpsert,
    Facts,
    IndexRecord,
    PageSection,
    StoredValues,
    Version,
)
from shared.contracts.annotations import TECHDOCS_ENTITY, TECHDOCS_REF
from shared.contracts.entity import Entity, text_of
from shared.contracts.ref import canonical_ref, parse_ref

#: The weight of a document by its kind; a higher weight ranks it above equal ones.
WEIGHTS = {"location": 0.0, "user": 1.8, "domain": 2.2, "system": 2.2, "template": 2.2}
DEFAULT_WEIGHT = 2.0
SECTION_WEIGHT = 1.2
LIFECYCLE_FACTORS = {"deprecated": 0.4, "retired": 0.2, "experimental": 0.9}
#: The fields that clients may filter by, besides `type` of the result.
FILTERABLE = ("kind", "namespace", "type", "componentType", "lifecycle", "owner")
TECHDOCS_ANNOTATIONS = (TECHDOCS_REF, TECHDOCS_ENTITY)
SECTION_CHARACTERS = 50_000
CAMEL_CASE_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def entity_record(change: EntityUpsert) -> IndexRecord:
    """The record of an entity, with its searched words and its marks.

    An entity that cannot be read gets a hidden record with its version only, so that
    the index still agrees with the catalog.
    """
    try:
        return _entity_record(change)
    except (TypeError, ValueError, RecursionError):
        UNREADABLE.inc()
        values = {"version": _version(change.version)}
        return _hidden_record(change.ref, values)


def _entity_record(change: EntityUpsert) -> IndexRecord:
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
        is_visible=True,
        document=document,
        marks=(*facts.marks, *_filter_marks(document, change.ref, entity)),
        keywords=_keywords(name, document["title"], entity),
        about=" ".join(
            filter(None, (_searched_context(document, entity), change.operations))
        ),
        weight=facts.weight,
        stored_values=_stored_values(change.version, facts),
    )


def _stored_values(version: Version, facts: Facts) -> dict[str, Any]:
    # Only pages of documentation need these facts.
    is_documented = any(name in facts.annotations for name in TECHDOCS_ANNOTATIONS)
    stored_facts = {"facts": _stored_facts(facts)} if is_documented else {}
    return {"version": _version(version), **stored_facts}


def tombstone_record(ref: str, version: Version) -> IndexRecord:
    """The tombstone of an entity: late events must not index it again."""
    values = {"version": _version(version), "gone": True}
    return _hidden_record(ref, values)


def _hidden_record(ref: str, values: StoredValues) -> IndexRecord:
    """A record of an entity that no query returns."""
    return IndexRecord(
        "entity",
        ref,
        SOFTWARE_CATALOG,
        is_visible=False,
        document={},
        stored_values=values,
    )


def site_record(ref: str, site: str) -> IndexRecord:
    """The record that names the indexed site of an entity's documentation."""
    values = {"site": site}
    return IndexRecord(
        "site", ref, TECHDOCS, is_visible=False, document={}, stored_values=values
    )


def section_records(
    ref: str, sections: Iterable[PageSection], facts: Facts | None
) -> Iterator[IndexRecord]:
    """The records of a site's sections; hidden without the entity's facts."""
    for section in sections:
        if facts is None:
            document: dict[str, Any] = _section_document(section)
            yield IndexRecord(
                "section", ref, TECHDOCS, is_visible=False, document=document
            )
        else:
            yield _section_record(ref, section, facts)


def _section_record(ref: str, section: PageSection, facts: Facts) -> IndexRecord:
    entity, parsed = facts.document, parse_ref(ref)
    location = f"/docs/{parsed.namespace}/{parsed.kind}/{parsed.name}/{section.path}"
    document = {
        "kind": parsed.kind,
        "namespace": parsed.namespace,
        "annotations": dict(facts.annotations),
        "name": facts.name,
        **_section_document(section),
        "componentType": entity["componentType"],
        "type": entity["type"],
        "lifecycle": entity["lifecycle"],
        "owner": entity["owner"],
        "location": location,
        "entityTitle": entity["title"],
    }
    return IndexRecord(
        role="section",
        ref=ref,
        type=TECHDOCS,
        is_visible=True,
        document=document,
        marks=(*facts.marks, *_filter_marks(document, ref, Entity({}))),
        about=" ".join((str(entity["title"]), facts.name, str(entity["owner"]))),
        weight=min(SECTION_WEIGHT, facts.weight),
    )


def _section_document(section: PageSection) -> dict[str, Any]:
    return {
        "title": section.title,
        "text": section.text[:SECTION_CHARACTERS],
        "path": section.path,
    }


def section_of(document: Document) -> PageSection:
    """The section of a record's document."""
    return PageSection(
        str(document["path"]), str(document["title"]), str(document["text"])
    )


def facts_of(values: StoredValues) -> Facts | None:
    """The facts in an entity's stored values; None in a tombstone."""
    facts = values.get("facts")
    if facts is None:
        return None
    return Facts(
        facts["document"],
        facts["name"],
        facts["annotations"],
        tuple(facts["marks"]),
        facts["weight"],
    )


def version_of(values: StoredValues) -> Version:
    """The version in an entity's stored values."""
    version = values["version"]
    return Version(version["uid"], version["revision"], version["at"])


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


def _weight(document: Document) -> float:
    weight = WEIGHTS.get(str(document["kind"]).lower(), DEFAULT_WEIGHT)
    return weight * LIFECYCLE_FACTORS.get(str(document["lifecycle"]).lower(), 1.0)


def _keywords(name: str, title: str, entity: Entity) -> str:
    words = [name, *entity.tags, text_of(entity.profile.get("displayName"))]
    # "OrderService" is also found by "service".
    words += [
        split
        for word in (name, title)
        if (split := CAMEL_CASE_BOUNDARY.sub(" ", word)) != word
    ]
    return " ".join(word for word in words if word)


def _searched_context(document: Document, entity: Entity) -> str:
    words = [document[field] for field in ("kind", "type", "lifecycle", "owner")]
    parents = ("system", "domain", "parent")
    words += [text_of(entity.spec.get(field)) for field in parents]
    return " ".join(dict.fromkeys(word for word in words if word))


def _filter_marks(document: Document, ref: str, entity: Entity) -> list[str]:
    namespace = str(document["namespace"])
    marks = [filter_mark(field, document[field]) for field in FILTERABLE]
    marks += [
        filter_mark("name", parse_ref(ref).name),
        filter_mark("entityRef", ref),
        *(filter_mark("tags", tag) for tag in entity.tags),
    ]
    for field, kind in (("owner", "group"), ("system", "system"), ("domain", "domain")):
        value = text_of(entity.spec.get(field)) or (document.get(field) or "")
        if value:
            full = canonical_ref(str(value), kind, namespace)
            marks += [filter_mark(field, value), filter_mark(field, full)]
    return marks
