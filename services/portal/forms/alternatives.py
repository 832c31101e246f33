"""Alternatives of an object (`oneOf`, `anyOf` with questions): which one is chosen."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.portal.forms.model import (
    Path,
    Schema,
    Values,
    choice_place,
    field_name,
)
from shared.contracts.entity import mapping_of
from shared.guards.budgets import Budget

DEEPEST = 12


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice among the alternatives of the object at `path`, by its `chosen` one.

    `number` counts the choices of one object.
    """

    path: Path
    number: int
    title: str
    alternatives: Sequence[Schema]
    chosen: int
    keyword: str = "oneOf"

    @property
    def name(self) -> str:
        """Its name in the form."""
        return choice_name(self.path, self.number)

    @property
    def place(self) -> Path:
        """Where its errors are shown: at the choice, and not at its object."""
        return choice_place(self.name)

    @property
    def titles(self) -> list[str]:
        """What the alternatives are called."""
        return titles_of(self.alternatives)

    @property
    def questions(self) -> frozenset[str]:
        """The names of the questions that the chosen alternative asks."""
        properties = mapping_of(self.alternatives[self.chosen].get("properties"))
        return frozenset(map(str, properties))


def titles_of(alternatives: Sequence[Schema]) -> list[str]:
    """What alternatives are called, those without a title by their number."""
    return [
        str(part.get("title") or f"Option {number}")
        for number, part in enumerate(alternatives, 1)
    ]


def choice_name(path: Path, number: int) -> str:
    """The name in the form of an object's choice."""
    return field_name("o", path) + (f"#{number}" if number else "")


def answered_paths(names: Iterable[str], prefilled: Values) -> frozenset[Path]:
    """The paths of all answers, and of the objects that they stand in."""
    paths = set(_paths_in(prefilled, ()))
    for name in names:
        parts = name[2:].partition("#")[0].split(".", DEEPEST)
        path = tuple(part.replace("~1", ".").replace("~0", "~") for part in parts)
        paths |= {path[:length] for length in range(1, len(path) + 1)}
    return frozenset(paths)


def most_answered(
    alternatives: Iterable[Schema],
    accepting: Collection[int],
    path: Path,
    answered: frozenset[Path],
    budget: Budget,
) -> int:
    """The number of the alternative with the most answers, the first among equals.

    Those that accept the answers come first, unless they ask for none of them: a wrong
    answer is shown, and not lost.
    """
    best, most = 0, (False, -1, False)
    for number, alternative in enumerate(alternatives):
        names = mapping_of(alternative.get("properties"))
        budget.pay_nodes(1 + len(names))
        count = sum((*path, str(name)) in answered for name in names)
        is_accepting = number in accepting
        rank = (is_accepting and count > 0, count, is_accepting)
        if rank > most:
            best, most = number, rank
    return best


def _paths_in(values: Values, path: Path) -> Iterator[Path]:
    for name, value in values.items():
        yield (*path, str(name))
        if isinstance(value, Mapping) and len(path) < DEEPEST:
            yield from _paths_in(value, (*path, str(name)))
