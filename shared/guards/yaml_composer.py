"""Composes plain JSON values from libyaml's events, within limits.

The composer does not recurse, so depth is a limit and not a crash. It counts the
elements that aliases expand to. In YAML 1.2 `<<` is a key like any other.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

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

from shared.contracts.errors import Invalid
from shared.guards.yaml_events import events
from shared.guards.yaml_scalars import (
    CORE_KINDS,
    TAGGED,
    KeepWritten,
    Resolver,
    WrittenBoolean,
    as_written,
    read_binary,
    resolve,
    resolve_old,
)

#: Makes a value of a tag and the tagged value; raises ValueError to refuse it.
TagReader = Callable[[str, Any], Any]
_NO_KEY: Any = object()
_MERGE = "<<"
#: So many characters of a text count as one element in the size of an alias.
_TEXT_WEIGHT = 64


@dataclass(frozen=True, slots=True)
class YamlLimits:
    """Limits on a text and its content.

    `aliases` is how often one anchor may be used, weighted by the aliases inside of it:
    the rule and the number are those of the `yaml` package that Backstage uses.
    `expansion` is the number of elements that all aliases together may expand to.
    """

    size: int = 10 * 1024 * 1024
    depth: int = 100
    documents: int = 50_000
    nodes: int = 1_000_000
    aliases: int = 100
    expansion: int = 100_000


@dataclass(slots=True)
class _Anchor:
    value: Any
    size: int
    nested: int
    uses: int = 0


@dataclass(slots=True)
class _Frame:
    """A mapping or a sequence that is still open."""

    value: Any
    anchor: str | None
    tag: str | None = None
    key: Any = _NO_KEY
    size: int = 1
    nested: int = 1
    merges: list[Any] = field(default_factory=list)


def syntax_error(problem: str, mark: Any) -> Invalid:
    """The error of a problem, with line and column if `mark` has them."""
    if mark is None:
        return Invalid(f"YAML error: {problem}")
    return Invalid(
        f"YAML error: {problem} at line {mark.line + 1}, column {mark.column + 1}"
    )


class Composer:
    """Composes the documents of one text; limits apply to the whole text.

    With `old`, plain scalars and `<<` have the meaning of YAML 1.1. `read_tag` converts
    values with custom tags; without it such tags are ignored. With `keep_written`,
    such scalars keep their written form. With `settings`, `<<` merges and keys are
    texts as they are written.
    """

    def __init__(
        self,
        limits: YamlLimits,
        *,
        old: bool = False,
        read_tag: TagReader | None = None,
        unique_keys: bool = True,
        keep_written: KeepWritten = "",
        settings: bool = False,
    ) -> None:
        self._limits = limits
        self._settings = settings
        self._keep_written = keep_written
        self._unique_keys = unique_keys
        self._default: Resolver = resolve_old if old else resolve
        self._read_tag = read_tag
        self._stack: list[_Frame] = []
        self._anchors: dict[str, _Anchor] = {}
        self._open: set[str] = set()
        self._expanded_size = 0
        self._nodes_left = limits.nodes
        self._documents_left = limits.documents
        self._resolve: Resolver = self._default
        self._document: Any = None

    def documents(self, text: str) -> Iterator[Any]:
        """Each document in order, empty ones as None.

        Raises:
            Invalid: with line and column, if a limit or a rule is broken.
            yaml.YAMLError: if the syntax is broken.
        """
        steps: dict[type, Callable[[Any], None]] = {
            ScalarEvent: self._scalar,
            AliasEvent: self._alias,
            MappingStartEvent: self._begin_mapping,
            SequenceStartEvent: self._begin_sequence,
            MappingEndEvent: self._end,
            SequenceEndEvent: self._end,
            DocumentStartEvent: self._begin_document,
        }
        for event in events(text):
            step = steps.get(event.__class__)
            if step is not None:
                step(event)
            elif event.__class__ is DocumentEndEvent:
                yield self._document

    def _begin_document(self, event: Any) -> None:
        self._documents_left -= 1
        if self._documents_left < 0:
            raise syntax_error(
                f"over {self._limits.documents} documents", event.start_mark
            )
        self._document = None
        self._anchors.clear()
        self._resolve = resolve_old if event.version == (1, 1) else self._default

    def _scalar(self, event: Any) -> None:
        if event.tag is None:
            value = self._resolve(event.value) if event.implicit[0] else event.value
        elif event.tag == "!":
            value = event.value
        else:
            value = self._tagged(event.tag, event.value, event.start_mark)
        if self._keep_written and value.__class__ is not str:
            value = as_written(event.value, value)
            if value.__class__ is bool and self._keep_written != "numbers":
                value = WrittenBoolean(value, event.value)
        size = 1 + len(event.value) // _TEXT_WEIGHT
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchor(value, size, 1)
        self._take(value, size, event)

    def _tagged(self, tag: str, value: Any, mark: Any) -> Any:
        try:
            resolver = TAGGED.get(tag) if isinstance(value, str) else None
            if resolver is not None:
                if resolver is read_binary:
                    self._pay_nodes(len(value) * 3 // 4, mark)
                return resolver(value)
            if self._read_tag is not None and tag not in CORE_KINDS:
                return self._read_tag(tag, value)
        except ValueError as error:
            raise syntax_error(str(error), mark) from error
        return value

    def _alias(self, event: Any) -> None:
        anchor = self._anchors.get(event.anchor)
        if anchor is None:
            reason = "inside of itself" if event.anchor in self._open else "not defined"
            raise syntax_error(f"alias *{event.anchor} is {reason}", event.start_mark)
        anchor.uses += 1
        weight = anchor.uses * anchor.nested
        self._expanded_size += anchor.size
        if (
            weight > self._limits.aliases
            or self._expanded_size > self._limits.expansion
        ):
            raise syntax_error(
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
        depth = self._limits.depth
        if len(self._stack) >= depth:
            raise syntax_error(f"nested deeper than {depth}", event.start_mark)
        if event.anchor is not None:
            self._anchors.pop(event.anchor, None)
            self._open.add(event.anchor)
        self._stack.append(_Frame(value, event.anchor, event.tag))

    def _end(self, event: Any) -> None:
        frame = self._stack.pop()
        for merged in frame.merges:
            for key, value in merged.items():
                frame.value.setdefault(key, value)
        if frame.tag is not None:
            frame.value = self._tagged(frame.tag, frame.value, event.start_mark)
        if frame.anchor is not None:
            self._open.discard(frame.anchor)
            self._anchors[frame.anchor] = _Anchor(frame.value, frame.size, frame.nested)
        if self._stack:
            self._stack[-1].nested = max(self._stack[-1].nested, frame.nested)
        self._take(frame.value, frame.size, event)

    def _pay_nodes(self, count: int, mark: Any) -> None:
        self._nodes_left -= count
        if self._nodes_left < 0:
            raise syntax_error(f"more than {self._limits.nodes} elements", mark)

    def _take(self, value: Any, size: int, event: Any) -> None:
        """Put a complete value into the collection or document that contains it."""
        self._nodes_left -= 1
        if self._nodes_left < 0:
            self._pay_nodes(0, event.start_mark)
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
            merges = self._settings or self._resolve is resolve_old
            if key is _MERGE and merges:
                frame.merges += self._mergeable(value, event)
            else:
                frame.value[key] = value

    def _key(self, frame: _Frame, value: Any, event: Any) -> str:
        if value.__class__ is not str:
            is_plain_text = self._settings and event.__class__ is ScalarEvent
            value = event.value if is_plain_text else _key_text(value, event)
        if self._unique_keys and value in frame.value:
            raise syntax_error(f"map keys must be unique: {value!r}", event.start_mark)
        is_plain = event.__class__ is ScalarEvent and event.implicit[0]
        return _MERGE if value == _MERGE and is_plain else value

    def _mergeable(self, value: Any, event: Any) -> list[Any]:
        mappings = value if isinstance(value, list) else [value]
        if not all(isinstance(item, dict) for item in mappings):
            raise syntax_error("<< needs a mapping or a list of them", event.start_mark)
        return mappings


def _key_text(value: Any, event: Any) -> str:
    """A key that is not a string, as JSON would write it."""
    if value is None:
        return ""
    if isinstance(value, bool | WrittenBoolean):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    error = syntax_error("a key must be a scalar", event.start_mark)
    if isinstance(value, dict) and set(value.values()) == {None}:
        # `{{` opens a mapping whose key is a mapping.
        raise Invalid(f"{error.message}: a text that begins with {{{{ needs quotes")
    raise error
