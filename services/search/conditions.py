"""Conditions of a query, made of marks and of and, or, not.

A mark is an exact token of a record, such as `owner:group:default/web`. Permission
criteria (Backstage's rules of `catalog-entity`) and the caller's filters both become
conditions over marks, so that pages and totals are exact for every caller.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from shared.contracts.entity import Entity
from shared.contracts.errors import Forbidden

VALUE_CHARACTERS = 80
#: The longest dotted path of a mark, as in the catalog's index. Every mark repeats it.
PATH_CHARACTERS = 200
INTEGER_LIMIT = 2.0**63
ABSENT = object()


@dataclass(frozen=True, slots=True)
class HasMark:
    """The record has at least one of these marks; without marks it is never true."""

    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AllConditions:
    """Every part is true; without parts it is always true."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class AnyCondition:
    """At least one part is true; without parts it is never true."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class NotCondition:
    """The part is not true."""

    part: "Condition"


Condition = HasMark | AllConditions | AnyCondition | NotCondition
NOTHING = HasMark(())


def mark(name: str, key: str, value: Any = ABSENT) -> str:
    """The token for a key that exists, or that has this value, in lower case."""
    prefix = f"{name}:{key}".lower()
    if value is ABSENT:
        return prefix
    return f"{prefix}={_value_text(value.lower() if isinstance(value, str) else value)}"


def _value_text(value: Any) -> str:
    # orjson writes no larger integers, and a float has the same precision.
    if isinstance(value, float) and value.is_integer() and abs(value) < INTEGER_LIMIT:
        value = int(value)
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    if len(text) <= VALUE_CHARACTERS:
        return text.decode()
    return "#" + hashlib.blake2b(text, digest_size=12).hexdigest()


def criteria_condition(criteria: Mapping[str, Any] | None) -> Condition:
    """The condition of permission criteria.

    Raises:
        Forbidden: if a rule is unknown, since a guess below a `not` would grant access.
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
    if rule in _KEYED_RULES:
        name, key = _KEYED_RULES[rule]
        return HasMark((mark(name, str(params[key]), value),))
    if rule == "IS_ENTITY_KIND":
        return HasMark(tuple(f"kind:{kind}".lower() for kind in params["kinds"]))
    if rule == "IS_ENTITY_OWNER":
        return HasMark(tuple(f"owner:{claim}".lower() for claim in params["claims"]))
    raise Forbidden(f"rule: unknown permission rule {rule!r}")


_KEYED_RULES = {
    "HAS_ANNOTATION": ("annotation", "annotation"),
    "HAS_LABEL": ("label", "label"),
    "HAS_METADATA": ("metadata", "key"),
    "HAS_SPEC": ("spec", "key"),
}


def entity_marks(entity: Entity) -> tuple[str, ...]:
    """All marks of an entity that criteria can refer to."""
    marks = {f"kind:{entity.kind}".lower()}
    marks.update(f"owner:{owner}" for owner in entity.owners)
    for name, holder in (("annotation", entity.annotations), ("label", entity.labels)):
        for key, value in holder.items():
            marks |= {mark(name, key), mark(name, key, value)}
    marks.update(_path_marks("metadata", entity.metadata))
    marks.update(_path_marks("spec", entity.spec))
    return tuple(sorted(marks))


def _path_marks(
    name: str, holder: Mapping[str, Any], parent: str = ""
) -> Iterator[str]:
    for key, value in holder.items():
        # A dotted path cannot address a key that contains a dot.
        if "." in key:
            continue
        path = f"{parent}{key}"
        if len(path) > PATH_CHARACTERS:
            continue
        yield mark(name, path)
        for item in value if isinstance(value, list) else (value,):
            yield mark(name, path, item)
        if isinstance(value, Mapping):
            yield from _path_marks(name, value, f"{path}.")


def filter_condition(filters: Iterable[tuple[str, tuple[str, ...]]]) -> Condition:
    """The condition of the caller's filters: each field has one of its values."""
    return AllConditions(
        tuple(
            HasMark(tuple(filter_mark(field, value) for value in values))
            for field, values in filters
        )
    )


def filter_mark(field: str, value: Any) -> str:
    """The token of a document's field for filters, with the value in lower case."""
    return f"is:{field}={_value_text(str(value).lower())}"
