"""YAML text to plain JSON values, safely: the dialect of catalog descriptors.

YAML 1.2 core on libyaml's event stream, with a composer of our own: it does not
recurse, so depth is a number and not a crash; it counts what aliases expand to; and
`<<` is a key like any other. Built for files of thousands of documents.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from services.catalog.descriptor.scalars import TAGGED, Scalar, resolve, resolve_old
from shared.contracts.errors import Invalid, TooLarge

SIZE_LIMIT = 10 * 1024 * 1024
DEPTH_LIMIT = 100
#: How often one anchor may be used, weighed by the aliases inside of it: the rule (and
#: the number) of the `yaml` package that Backstage reads descriptors with.
ALIAS_LIMIT = 100
#: How many nodes all aliases of a file may stand for.
EXPANSION_LIMIT = 100_000
_NO_KEY: Any = object()
_MERGE = "<<"


@dataclass(slots=True)
class _Anchor:
    value: Any
    size: int
    nested: int
    uses: int = 0


@dataclass(slots=True)
class _Frame:
    """A mapping or a sequence that is not closed yet."""

    value: Any
    anchor: str | None
    key: Any = _NO_KEY
    size: int = 1
    nested: int = 1
    merges: list[Any] = field(default_factory=list)


def documents(body: bytes) -> list[Any]:
    """The documents in `body` that hold something, in order.

    Raises:
        Invalid: with line and column, if any part of it breaks the dialect.
        TooLarge: if it is over `SIZE_LIMIT` bytes.
    """
    if len(body) > SIZE_LIMIT:
        raise TooLarge(f"descriptor: {len(body)} bytes, at most {SIZE_LIMIT}")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(f"YAML error: byte {error.start} is not UTF-8") from error
    composer = _Composer()
    try:
        found = list(composer.documents(text))
    except yaml.MarkedYAMLError as error:
        raise _invalid(error.problem or "syntax error", error.problem_mark) from error
    except yaml.reader.ReaderError as error:
        raise Invalid(f"YAML error: {error.reason} {_place(text, error)}") from error
    return [document for document in found if document is not None]


def _invalid(problem: str, mark: Any) -> Invalid:
    if mark is None:
        return Invalid(f"YAML error: {problem}")
    return Invalid(
        f"YAML error: {problem} at line {mark.line + 1}, column {mark.column + 1}"
    )


def _place(text: str, error: yaml.reader.ReaderError) -> str:
    """Where the unreadable character stands; libyaml counts in bytes."""
    before = text.encode()[: error.position].decode(errors="ignore")
    column = len(before) - (before.rfind("\n") + 1)
    return f"at line {before.count(chr(10)) + 1}, column {column + 1}"


class _Composer:
    """Composes one stream of events; counts belong to the whole file."""

    def __init__(self) -> None:
        self._stack: list[_Frame] = []
        self._anchors: dict[str, _Anchor] = {}
        self._open: set[str] = set()
        self._expanded = 0
        self._resolve: Callable[[str], Scalar] = resolve
        self._document: Any = None

    def documents(self, text: str) -> Iterator[Any]:
        steps: dict[type, Callable[[Any], None]] = {
            ScalarEvent: self._scalar,
            AliasEvent: self._alias,
            MappingStartEvent: self._begin_mapping,
            SequenceStartEvent: self._begin_sequence,
            MappingEndEvent: self._end,
            SequenceEndEvent: self._end,
            DocumentStartEvent: self._begin_document,
        }
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            step = steps.get(event.__class__)
            if step is not None:
                step(event)
            elif event.__class__ is DocumentEndEvent:
                yield self._document

    def _begin_document(self, event: Any) -> None:
        self._document = None
        self._anchors.clear()
        self._resolve = resolve_old if event.version == (1, 1) else resolve

    def _scalar(self, event: Any) -> None:
        if event.tag is None:
            value = self._resolve(event.value) if event.implicit[0] else event.value
        elif event.tag == "!":
            value = event.value
        else:
            try:
                value = TAGGED.get(event.tag, str)(event.value)
            except ValueError as error:
                raise _invalid(str(error), event.start_mark) from error
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchor(value, 1, 1)
        self._take(value, 1, event)

    def _alias(self, event: Any) -> None:
        anchor = self._anchors.get(event.anchor)
        if anchor is None:
            why = "inside of itself" if event.anchor in self._open else "not defined"
            raise _invalid(f"alias *{event.anchor} is {why}", event.start_mark)
        anchor.uses += 1
        weight = anchor.uses * anchor.nested
        self._expanded += anchor.size
        if weight > ALIAS_LIMIT or self._expanded > EXPANSION_LIMIT:
            raise _invalid(
                "too many aliases (a resource exhaustion attack?)", event.start_mark
            )
        if self._stack:
            self._stack[-1].nested = max(self._stack[-1].nested, weight)
        self._take(anchor.value, anchor.size, event)

    def _begin_mapping(self, event: Any) -> None:
        self._begin({}, event)

    def _begin_sequence(self, event: Any) -> None:
        self._begin([], event)

    def _begin(self, value: Any, event: Any) -> None:
        if len(self._stack) >= DEPTH_LIMIT:
            raise _invalid(f"nested deeper than {DEPTH_LIMIT}", event.start_mark)
        if event.anchor is not None:
            self._anchors.pop(event.anchor, None)
            self._open.add(event.anchor)
        self._stack.append(_Frame(value, event.anchor))

    def _end(self, event: Any) -> None:
        frame = self._stack.pop()
        for merged in frame.merges:
            for key, value in merged.items():
                frame.value.setdefault(key, value)
        if frame.anchor is not None:
            self._open.discard(frame.anchor)
            self._anchors[frame.anchor] = _Anchor(frame.value, frame.size, frame.nested)
        if self._stack:
            self._stack[-1].nested = max(self._stack[-1].nested, frame.nested)
        self._take(frame.value, frame.size, event)

    def _take(self, value: Any, size: int, event: Any) -> None:
        """Hand a finished value to what it stands in."""
        if not self._stack:
            self._document = value
            return
        frame = self._stack[-1]
        frame.size += size
        if frame.value.__class__ is list:
            frame.value.append(value)
        elif frame.key is _NO_KEY:
            frame.key = self._key(frame, value, event)
        else:
            key, frame.key = frame.key, _NO_KEY
            if key is _MERGE and self._resolve is resolve_old:
                frame.merges += self._mergeable(value, event)
            else:
                frame.value[key] = value

    def _key(self, frame: _Frame, value: Any, event: Any) -> str:
        if value.__class__ is not str:
            value = _key_text(value, event)
        if value in frame.value:
            raise _invalid(f"map keys must be unique: {value!r}", event.start_mark)
        return _MERGE if value == _MERGE else value

    def _mergeable(self, value: Any, event: Any) -> list[Any]:
        found = value if isinstance(value, list) else [value]
        if not all(isinstance(item, dict) for item in found):
            raise _invalid("<< needs a mapping or a list of them", event.start_mark)
        return found


def _key_text(value: Any, event: Any) -> str:
    """A key that is no text, as JSON spells it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise _invalid("a key must be a scalar", event.start_mark)
