"""Conditions inside a query: marks, and their algebra.

A mark is an exact token of a record, such as `owner:group:default/web`. Permission
criteria (Backstage's, rules of `catalog-entity`) and the caller's filters both become
conditions over marks, so that pages and totals are exact whoever asks.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from shared.contracts.entity import Entity
from shared.contracts.errors import Forbidden

LONGEST_PLAIN = 80
#: The catalog's index has no longer paths either. Every mark below a path has it
#: written out.
LONGEST_PATH = 200
WHOLE = 2.0**63
ABSENT = object()


@dataclass(frozen=True, slots=True)
class Has:
    """The record has at least one of these marks; without marks, no record does."""

    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AllConditions:
    """Every part holds; without parts, always."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class AnyCondition:
    """At least one part holds; without parts, never."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class NotCondition:
    """The part does not hold."""

    part: "Condition"


Condition = Has | AllConditions | AnyCondition | NotCondition
NOTHING = Has(())


def mark(name: str, key: str, value: Any = ABSENT) -> str:
    """The token that says: `key` is there, or has this value. Case is folded."""
    place = f"{name}:{key}".lower()
    if value is ABSENT:
        return place
    return f"{place}={_plain(value.lower() if isinstance(value, str) else value)}"


def _plain(value: Any) -> str:
    # Beyond that JSON has no whole number that its writer takes: a float is as exact.
    if isinstance(value, float) and value.is_integer() and abs(value) < WHOLE:
        value = int(value)
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    if len(text) <= LONGEST_PLAIN:
        return text.decode()
    return "#" + hashlib.blake2b(text, digest_size=12).hexdigest()


def criteria_condition(criteria: Mapping[str, Any] | None) -> Condition:
    """The condition that permission criteria mean.

    Raises:
        Forbidden: if a rule is unknown: under a `not`, guessing would open a door.
    """
    if criteria is None:
        return NOTHING
    if "anyOf" in criteria:
        return AnyCondition(
            tuple(criteria_condition(item) for item in criteria["anyOf"])
        )
    if "allOf" in criteria:
        return AllConditions(
            tuple(criteria_condition(item) for item in criteria["allOf"])
        )
    if "not" in criteria:
        return NotCondition(criteria_condition(criteria["not"]))
    rule, params = str(criteria.get("rule")), criteria.get("params") or {}
    try:
        return _rule(rule, params)
    except KeyError as error:
        missing = error.args[0]
        raise Forbidden(f"params.{missing}: required by {rule}") from error


def _rule(rule: str, params: Mapping[str, Any]) -> Condition:
    value = params.get("value", ABSENT)
    if rule in _KEYED:
        name, key = _KEYED[rule]
        return Has((mark(name, str(params[key]), value),))
    if rule == "IS_ENTITY_KIND":
        return Has(tuple(f"kind:{kind}".lower() for kind in params["kinds"]))
    if rule == "IS_ENTITY_OWNER":
        return Has(tuple(f"owner:{claim}".lower() for claim in params["claims"]))
    raise Forbidden(f"rule: unknown permission rule {rule!r}")


_KEYED = {
    "HAS_ANNOTATION": ("annotation", "annotation"),
    "HAS_LABEL": ("label", "label"),
    "HAS_METADATA": ("metadata", "key"),
    "HAS_SPEC": ("spec", "key"),
}


def entity_marks(entity: Entity) -> tuple[str, ...]:
    """The marks that any criteria could ask of this entity."""
    found = {f"kind:{entity.kind}".lower()}
    found.update(f"owner:{owner}" for owner in entity.owners)
    for name, holder in (("annotation", entity.annotations), ("label", entity.labels)):
        for key, value in holder.items():
            found |= {mark(name, key), mark(name, key, value)}
    found.update(_paths("metadata", entity.metadata))
    found.update(_paths("spec", entity.spec))
    return tuple(sorted(found))


def _paths(name: str, holder: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for key, value in holder.items():
        # A key with a dot in it cannot be addressed by a dotted path.
        if "." in key:
            continue
        path = f"{before}{key}"
        if len(path) > LONGEST_PATH:
            continue
        yield mark(name, path)
        for item in value if isinstance(value, list) else (value,):
            yield mark(name, path, item)
        if isinstance(value, Mapping):
            yield from _paths(name, value, f"{path}.")


def filter_condition(filters: Iterable[tuple[str, tuple[str, ...]]]) -> Condition:
    """The caller's filters: every field has one of its values, in any case."""
    return AllConditions(
        tuple(
            Has(tuple(filter_mark(field, value) for value in values))
            for field, values in filters
        )
    )


def filter_mark(field: str, value: Any) -> str:
    """The token of a document's field for filters: values are compared folded."""
    return f"is:{field}={_plain(str(value).lower())}"
