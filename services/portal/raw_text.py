"""The text of a whole entity: its beginning as YAML, as much as a page holds.

An entity may have megabytes and ten thousands of relations. Writing them as YAML takes
seconds in which nothing else of the process runs, so it is cut before.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.contracts.entity import Entity
from shared.guards.yaml_text import dump_yaml

MOST_VALUES = 7_000
MOST_CHARACTERS = 200_000
#: Of one text, most often an API's definition.
LONGEST_TEXT = 100_000


def raw_text(entity: Entity) -> tuple[str, bool]:
    """The entity as YAML, of a large one the beginning; whether it is cut."""
    beginning = _Beginning()
    text = dump_yaml(beginning.of(entity.raw))
    return text[:MOST_CHARACTERS], beginning.is_cut or len(text) > MOST_CHARACTERS


class _Beginning:
    """Copies of values, as long as the allowance lasts."""

    def __init__(self) -> None:
        self._values = MOST_VALUES
        self._characters = MOST_CHARACTERS
        self.is_cut = False

    def of(self, value: Any) -> Any:
        """The value, or as much of it as is left of the allowance."""
        self._values -= 1
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Mapping):
            return {
                self.of(key): self.of(item)
                for key, item in value.items()
                if self._is_left()
            }
        if isinstance(value, Sequence):
            return [self.of(item) for item in value if self._is_left()]
        return value

    def _is_left(self) -> bool:
        is_left = self._values > 0 and self._characters > 0
        self.is_cut = self.is_cut or not is_left
        return is_left

    def _text(self, text: str) -> str:
        self._characters -= min(len(text), LONGEST_TEXT)
        if len(text) <= LONGEST_TEXT:
            return text
        self.is_cut = True
        cut = text[:LONGEST_TEXT]
        lines = cut.rpartition("\n")[0] or cut
        return f"{lines}\n… {len(text):,} characters in all\n"
