"""One document of a source to a candidate for the catalog, or why it is none."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from services.catalog.descriptor import definitions, envelope, kinds
from services.catalog.descriptor.relations import relations_of
from services.catalog.ingest import placeholders
from services.catalog.ingest.location_targets import require_few_targets, targets_of
from services.catalog.ingest.refusals import BrokenFields, Refusal, broken_fields
from services.catalog.ingest.restriction import asks_to_be_restricted
from services.catalog.ingest.rules import Rules
from services.catalog.model import (
    EntityJson,
    LocationRef,
    StatusItemJson,
    StoredRelation,
)
from shared.contracts.annotations import (
    MANAGED_BY_LOCATION,
    MANAGED_BY_ORIGIN,
    RESTRICTED,
    VISIBILITY,
)
from shared.contracts.entity import Entity
from shared.contracts.errors import CallboardError, Conflict, Forbidden, Invalid
from shared.guards.addresses import require_no_password
from shared.guards.trees import check_tree

#: Bytes of an entity beside its definition: an event of it fits into a message.
ENTITY_LIMIT = 900_000
#: Values of an entity: each is a row of the index or a relation, and more of them would
#: hold up all requests as they come and go. A group of 40,000 members has fewer.
ELEMENTS_LIMIT = 50_000
#: Characters of an error's message in a status.
MESSAGE_LENGTH = 2_000
#: The refs of the Location entities that stand for locations (`LocationRef`).
_OWN_NAME = re.compile("location:default/generated-[0-9a-f]{40}")
_PROVIDED_BY = ": is already provided by "


@dataclass(frozen=True, slots=True)
class Context:
    """Where a document comes from, and what that lets it be."""

    location: LocationRef
    origin: LocationRef
    parent: str
    rules: Rules
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entity as a source describes it: complete but for uid, etag and revision.

    `definition` is the text that `entity` has a reference to, until it is stored.
    """

    ref: str
    entity: Entity
    relations: tuple[StoredRelation, ...]
    location: str
    origin: str
    parents: tuple[str, ...]
    etag: str
    errors: tuple[StatusItemJson, ...] = ()
    definition: str | None = None

    @property
    def whole(self) -> Entity:
        """The entity with the text of its definition."""
        if self.definition is None:
            return self.entity
        return self.entity.with_spec(definition=self.definition)

    def merge_parents(self, other: "Candidate") -> "Candidate":
        """The same, emitted by those that emit `other` too."""
        return replace(self, parents=tuple(dict.fromkeys(self.parents + other.parents)))

    def with_origin(self, origin: str) -> "Candidate":
        """The same under another root location."""
        return replace(self._annotated(MANAGED_BY_ORIGIN, origin), origin=origin)

    def restricted(self) -> "Candidate":
        """The same, there for its owners and the platform team alone."""
        return self._annotated(VISIBILITY, RESTRICTED)

    def _annotated(self, name: str, value: str) -> "Candidate":
        entity = self.entity.with_annotations({name: value})
        etag = etag_of(entity, self.relations, self.errors)
        return replace(self, entity=entity, etag=etag)

    def with_items(self, items: tuple[StatusItemJson, ...]) -> "Candidate":
        """The same with these items in its status."""
        return replace(
            self, errors=items, etag=etag_of(self.entity, self.relations, items)
        )


def status_item(error: CallboardError) -> StatusItemJson:
    """A problem as an item of an entity's `status.items`."""
    message = error.message
    if len(message) > MESSAGE_LENGTH:
        message = f"{message[:MESSAGE_LENGTH]}…"
    return {
        "type": "backstage.io/catalog-processing",
        "level": "error",
        "message": f"{error.name}: {message}",
        "error": {"name": error.name, "message": message},
    }


def taken_error(ref: str, owner: str) -> Conflict:
    """The error of a location whose entity belongs to another."""
    return Conflict(f"{ref}{_PROVIDED_BY}{owner}; first registrant wins")


def refused_ref(item: StatusItemJson) -> str | None:
    """The ref in a status item about an entity that belongs to another location."""
    error = item.get("error") or {}
    if error.get("name") != Conflict.name:
        return None
    ref, separator, _ = str(error.get("message")).partition(_PROVIDED_BY)
    return ref if separator else None


def etag_of(
    entity: Entity,
    relations: Sequence[StoredRelation],
    errors: Sequence[StatusItemJson] = (),
) -> str:
    """A hash of everything a reader can see: equal exactly when nothing changed.

    A definition that is stored apart counts by its hash.

    Raises:
        Invalid: if the entity is no JSON.
    """
    body = _json(entity.raw, option=orjson.OPT_SORT_KEYS)
    digest = hashlib.sha1(body, usedforsecurity=False)
    for relation in relations:
        digest.update(f"\0{relation.type}\0{relation.target}".encode())
    if errors:
        digest.update(orjson.dumps(errors, option=orjson.OPT_SORT_KEYS))
    return digest.hexdigest()


def _json(value: Any, option: int = 0) -> bytes:
    try:
        return orjson.dumps(value, option=option)
    except (orjson.JSONEncodeError, RecursionError) as error:
        raise Invalid(f"entity: cannot be JSON: {error}") from error


def require_size(entity: Entity) -> None:
    """Refuse an entity that is too big to be stored.

    Raises:
        Invalid: naming the field that takes the most, and the rule.
    """
    problem = definitions.problem(entity)
    if problem is not None:
        raise Invalid(problem)
    for label, value in _parts(entity):
        # A text of a placeholder that is named often is there once, until written.
        text = definitions.DEFINITION_LIMIT + ENTITY_LIMIT
        check_tree(value, label=label, nodes=ELEMENTS_LIMIT, text=text)
    check_tree(entity.raw, label="the entity", nodes=ELEMENTS_LIMIT)
    stored_form = definitions.separate_definition(entity)[0]
    if not _is_within_limits(stored_form):
        field, size = _biggest(stored_form)
        raise Invalid(
            f"{field}: {size:,} bytes; an entity without its definition has at most "
            f"{ENTITY_LIMIT:,}"
        )


def _parts(entity: Entity) -> Iterator[tuple[str, Any]]:
    for part, fields in (("metadata", entity.metadata), ("spec", entity.spec)):
        for name, value in fields.items():
            yield f"{part}.{name}", value


def _is_within_limits(entity: Entity) -> bool:
    try:
        check_tree(entity.raw, label="entity", text=ENTITY_LIMIT)
    except Invalid:
        return False
    return len(_json(entity.raw)) <= ENTITY_LIMIT


def _biggest(entity: Entity) -> tuple[str, int]:
    """The field of metadata or spec that takes the most bytes."""
    sizes = {label: len(_json(value)) for label, value in _parts(entity)}
    return max(sizes.items(), key=lambda item: item[1], default=("entity", 0))


def annotate(entity: Entity, context: Context) -> Entity:
    """A copy with its location in annotations; the descriptor's own links win."""
    location_annotations = {
        MANAGED_BY_LOCATION: str(context.location),
        MANAGED_BY_ORIGIN: str(context.origin),
    }
    annotations = {
        **location_annotations,
        **context.links,
        **entity.annotations,
        **location_annotations,
    }
    return entity.with_metadata(annotations=annotations)


def check_document(
    document: Any,
    contents: Mapping[placeholders.Placeholder, Any] | None = None,
    known_kinds: kinds.Kinds | None = None,
) -> tuple[Entity, tuple[StoredRelation, ...]]:
    """A document as a valid entity, with the relations it declares.

    `known_kinds` are the kinds that it may be of: without them the built-in ones.

    Raises:
        Invalid: naming the entity, and every field with the rule it breaks.
    """
    ref = envelope.identify(document)
    try:
        known_kinds = known_kinds or kinds.built_in_kinds()
        entity = _complete(document, contents, known_kinds)
        require_size(entity)
        return entity, relations_of(entity, known_kinds[entity.kind])
    except Invalid as error:
        raise broken_fields(str(ref), error) from error


def _complete(
    document: EntityJson,
    contents: Mapping[placeholders.Placeholder, Any] | None,
    known_kinds: kinds.Kinds,
) -> Entity:
    whole = placeholders.fill(document, contents) if contents else document
    entity = envelope.complete(whole)
    rule_problems = envelope.problems(entity) or kinds.problems(entity, known_kinds)
    if rule_problems:
        problems = [*rule_problems, *_hints(document, rule_problems)]
        raise BrokenFields("; ".join(problems), problems)
    _require_no_passwords(entity)
    if entity.kind == "Location":
        require_few_targets(entity)
    return kinds.in_order(entity, known_kinds[entity.kind])


def _require_no_passwords(entity: Entity) -> None:
    """Refuse addresses to read that have a password: readers and events would have it.

    What links and annotations say is their author's.

    Raises:
        Invalid: naming the field.
    """
    if entity.kind == "Location":
        for target in targets_of(entity)[1]:
            require_no_password(target, "spec.targets")


def _hints(document: EntityJson, problems: Sequence[str]) -> list[str]:
    """A hint for each broken field that a placeholder fills."""
    return [
        _hint(name, problem)
        for place, name in placeholders.find_marks(document)
        for problem in problems
        if problem.startswith(f"{place}:")
    ]


def _hint(name: str, problem: str) -> str:
    if name in placeholders.NAMES and problem.endswith("must not be empty"):
        return f"the file of {name} is empty"
    if name in placeholders.NAMES:
        return f"{name} gives what the file holds, $text gives its text"
    return f"{name} is no placeholder, {', '.join(placeholders.NAMES)} are"


def candidate(
    document: Any,
    context: Context,
    contents: Mapping[placeholders.Placeholder, Any] | None = None,
) -> Candidate | Refusal:
    """What one document of a source comes to."""
    ref = None
    try:
        ref = str(envelope.identify(document))
        _require_free_name(ref)
        entity, relations = check_document(document, contents, context.rules.kinds)
        entity = annotate(entity, context)
        _require_allowed(entity, ref, context)
        entity, definition = definitions.separate_definition(entity)
        etag = etag_of(entity, relations)
    except CallboardError as error:
        return Refusal(ref, error, is_restricted=asks_to_be_restricted(document))
    return Candidate(
        ref=ref,
        entity=entity,
        relations=relations,
        location=str(context.location),
        origin=str(context.origin),
        parents=(context.parent,),
        etag=etag,
        definition=definition,
    )


def _require_free_name(ref: str) -> None:
    """Keep the names of the entities that stand for registered locations.

    A document of that name would be taken for the location's own entity.
    """
    if _OWN_NAME.fullmatch(ref):
        raise Invalid(
            f"{ref}: metadata.name: generated- and 40 hexadecimal digits are the name "
            "of a registered location's own entity; choose another name"
        )


def _require_allowed(entity: Entity, ref: str, context: Context) -> None:
    if not context.rules.allow(entity, context.origin):
        raise Forbidden(
            f"{ref}: the kind {entity.kind} is not allowed from {context.origin}; "
            "see catalog.rules"
        )


def location_entity(location: LocationRef, links: Mapping[str, str]) -> Candidate:
    """The Location entity that stands for a root location."""
    ref = str(location)
    metadata = {
        "annotations": {MANAGED_BY_LOCATION: ref, MANAGED_BY_ORIGIN: ref, **links},
        "name": location.entity_name,
        "namespace": "default",
    }
    entity = Entity(
        {
            "apiVersion": "backstage.io/v1alpha1",
            "kind": "Location",
            "metadata": metadata,
            "spec": {"type": location.type, "target": location.target},
        }
    )
    return Candidate(
        ref=location.entity_ref,
        entity=entity,
        relations=(),
        location=ref,
        origin=ref,
        parents=(),
        etag=etag_of(entity, ()),
    )
