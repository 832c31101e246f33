"""Answers with the texts of definitions that are stored apart from their entities."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import TypeVar

import orjson

from services.catalog.descriptor.definitions import (
    KEY,
    Reference,
    reference_in,
)
from services.catalog.ports import DefinitionStore
from services.catalog.readmodel import ReadModel
from services.catalog.readmodel.records import EntityRecord
from shared.contracts.entity import Entity
from shared.contracts.errors import Unavailable
from shared.kit.observability import logs

#: Bytes of entities and definitions that are rendered for one answer at a time.
AT_ONCE_BYTES = 8_000_000
#: A byte of an entity, whose values are read one by one, weighs as much as so many.
HEAD_WEIGHT = 4
#: Bytes of definitions that are remembered: those that people open one after another.
REMEMBERED_BYTES = 8_000_000
_MARK = b'"%b":' % KEY.encode()

Item = TypeVar("Item", EntityRecord, EntityRecord | None)


class Definitions:
    """Puts definitions into rendered entities."""

    def __init__(self, model: ReadModel, store: DefinitionStore | None) -> None:
        self._model = model
        self._store = store
        self._recent: OrderedDict[str, str] = OrderedDict()
        self._bytes = 0
        self._log = logs.get_logger("catalog")

    def are_few(self, records: Sequence[EntityRecord]) -> bool:
        """Whether all these may be rendered with their definitions at once."""
        # In comprehensions: every answer is measured, and a call a record takes longer.
        weights = [HEAD_WEIGHT * len(record.head) for record in records]
        if references := self._model.definitions:
            ids = [record.entity for record in records]
            weights += [
                references[entity].bytes for entity in ids if entity in references
            ]
        return sum(weights) <= AT_ONCE_BYTES

    def portions(self, records: Sequence[Item], limit: int) -> Iterator[list[Item]]:
        """The records in portions that may be rendered at once."""
        portion: list[Item] = []
        size = 0
        for record in records:
            record_size = self._size(record) if record is not None else 0
            if portion and (
                len(portion) == limit or size + record_size > AT_ONCE_BYTES
            ):
                yield portion
                portion, size = [], 0
            portion.append(record)
            size += record_size
        yield portion

    async def complete(self, rendered: list[bytes]) -> list[bytes]:
        """The rendered entities, each reference replaced by its text.

        Raises:
            Unavailable: if a text is needed and the store does not answer.
        """
        if not self._model.definitions:
            return rendered
        bodies = list(rendered)
        entities: dict[int, Entity] = {}
        references: dict[int, Reference] = {}
        for number, body in enumerate(rendered):
            if _MARK in body:
                # It may be cut down to some fields.
                entities[number] = Entity(orjson.loads(body))
                definition = entities[number].spec.get("definition")
                reference = reference_in(definition)
                if reference is not None:
                    references[number] = reference
        texts = await self.texts(list(references.values())) if references else {}
        for number, reference in references.items():
            entity = entities[number].with_spec(definition=texts[reference.hash])
            bodies[number] = orjson.dumps(entity.raw)
        return bodies

    async def texts(self, references: Sequence[Reference]) -> dict[str, str]:
        """The texts of all these, by hash."""
        names = {reference.hash for reference in references}
        texts = {name: self._recent[name] for name in names if name in self._recent}
        missing_names = sorted(names - texts.keys())
        if missing_names:
            if self._store is None:
                raise Unavailable("The definitions are not there yet")
            texts |= await self._store.texts(missing_names)
        for name in names:
            if name not in texts:
                self._log.error("definition_missing", definition=name)
                texts[name] = ""
            else:
                self._remember(name, texts[name])
        return texts

    def _size(self, record: EntityRecord | None) -> int:
        if record is None:
            return 0
        reference = self._model.definitions.get(record.entity)
        own_bytes = HEAD_WEIGHT * len(record.head)
        return own_bytes + (reference.bytes if reference is not None else 0)

    def _remember(self, name: str, text: str) -> None:
        if name in self._recent:
            self._recent.move_to_end(name)
            return
        self._recent[name] = text
        self._bytes += len(text)
        while self._bytes > REMEMBERED_BYTES:
            _, dropped = self._recent.popitem(last=False)
            self._bytes -= len(dropped)
