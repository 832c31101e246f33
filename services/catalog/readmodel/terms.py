"""Which entities have a value that contains, or starts with, a piece of text.

An answer is remembered and updated by the changes since, so that only the first query
for a term visits every distinct value of the field.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pyroaring import BitMap

from services.catalog.readmodel.inverted import InvertedField, comparable
from shared.text.folding import folded

REMEMBERED = 512
MANY_CHANGES = 500
"""Looking at every distinct value again is then cheaper than at each change."""

ValuesOf = Callable[[int, str], Iterable[str]]


@dataclass(slots=True)
class _Answer:
    entities: BitMap
    log_position: int


class TermCache:
    """Answers by (path, text, whether values must begin with it)."""

    def __init__(
        self, fields: Mapping[str, InvertedField], values_of: ValuesOf
    ) -> None:
        self._fields = fields
        self._values_of = values_of
        self._answers: OrderedDict[tuple[str, str, bool], _Answer] = OrderedDict()

    def find(
        self,
        path: str,
        text: str,
        *,
        prefix: bool,
        changed_ids: set[int] | None,
        end: int,
    ) -> BitMap:
        """The entities with such a value; lower-cased path and text.

        `changed` are the ids that changed since `seen_at` of this term (None: unknown),
        `end` is where the log stands now.
        """
        key = (path, text, prefix)
        answer = self._answers.get(key)
        if answer is None or changed_ids is None or len(changed_ids) > MANY_CHANGES:
            answer = _Answer(self._scan(path, text, prefix), end)
            self._answers[key] = answer
            if len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)
            return answer.entities
        self._answers.move_to_end(key)
        folded_text = folded(text)
        for entity in changed_ids:
            if any(
                value.startswith(text) if prefix else folded_text in comparable(value)
                for value in self._values_of(entity, path)
            ):
                answer.entities.add(entity)
            else:
                answer.entities.discard(entity)
        answer.log_position = end
        return answer.entities

    def position_of(self, path: str, text: str, *, prefix: bool) -> int:
        """Up to which change the answer for a term is known; -1 when it is not."""
        answer = self._answers.get((path, text, prefix))
        return -1 if answer is None else answer.log_position

    def _scan(self, path: str, text: str, prefix: bool) -> BitMap:
        field = self._fields.get(path)
        if field is None:
            return BitMap()
        return field.starting(text) if prefix else field.containing(text)
