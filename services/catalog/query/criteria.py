"""Criteria for entities, whichever grammar they are written in.

Paths and values are lower-cased here: the index compares in lower case.
"""

from dataclasses import dataclass

RELATIONS = "relations."
DEEPEST = 32
"""Nesting of predicates and conditions; deeper ones are refused, not followed."""
MOST_PARTS = 2_000
"""How many conditions one query may have."""
VALUES_A_PART = 20
"""So many values of one condition weigh as much as a condition."""


@dataclass(frozen=True, slots=True)
class Exists:
    """There is a value at a path."""

    path: str


@dataclass(frozen=True, slots=True)
class OneOf:
    """The value at a path is one of these."""

    path: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StartsWith:
    """A value at a path begins with a text."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Mentions:
    """A value at one of the paths contains a text."""

    paths: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds; without parts, always."""

    parts: tuple["Criterion", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds; without parts, never."""

    parts: tuple["Criterion", ...]


@dataclass(frozen=True, slots=True)
class Negation:
    """The part does not hold."""

    part: "Criterion"


Criterion = Exists | OneOf | StartsWith | Mentions | AllOf | AnyOf | Negation
EVERYTHING = AllOf(())
