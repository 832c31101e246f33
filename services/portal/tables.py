"""What the table, paging and facet macros show."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """A column's head; `sorted` is "", ascending or descending, `href` sorts by it."""

    label: str
    href: str = ""
    sorted: str = ""
    number: bool = False


@dataclass(frozen=True, slots=True)
class Paging:
    """A page of a list: positions from 1, addresses of its neighbours or ""."""

    first: int
    last: int
    total: int
    previous: str = ""
    next: str = ""


@dataclass(frozen=True, slots=True)
class FacetChoice:
    """One value of a facet; `count` is None where it is not known."""

    value: str
    label: str
    count: int | None = None
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Facet:
    """A group of values that narrow a list; `name` is the parameter in the address.

    Of many values the server searches: `find` is the address that answers, `text` what
    is searched for, `total` how many fit.
    """

    name: str
    label: str
    choices: tuple[FacetChoice, ...]
    total: int = 0
    find: str = ""
    text: str = ""


def columns(*labels: str) -> tuple[Column, ...]:
    """Plain columns that do not sort."""
    return tuple(Column(label) for label in labels)
