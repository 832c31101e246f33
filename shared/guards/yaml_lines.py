"""Finds the lines of documents and fields in a YAML text.

Only error messages need lines: the text is then parsed a second time, so that the
normal case stores no positions.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import yaml

from shared.guards.yaml_composer import Composer, YamlLimits
from shared.guards.yaml_encoding import decode
from shared.guards.yaml_events import events, parseable


@dataclass(frozen=True, slots=True)
class DocumentLines:
    """The line (from 1) of a document, and of each requested field.

    An absent field has the line of the object that should contain it; None if even the
    first name of its path is absent.
    """

    start: int
    fields: tuple[int | None, ...] = ()


@dataclass(slots=True)
class _Node:
    """A value with the line of its beginning or its key; `text` if it is a scalar."""

    line: int
    text: str = ""
    is_mapping: bool = False
    children: dict[str, "_Node"] = field(default_factory=dict)


def locate(
    body: bytes | str,
    fields: Mapping[int, Sequence[str]],
    limits: YamlLimits = YamlLimits(),
) -> dict[int, DocumentLines]:
    """The lines of the requested documents; what follows the last of them is not read.

    Args:
        body: The text, as it was passed to `load_documents`.
        fields: The paths of the requested fields by the document's position among those
            that are not empty; names and numbers with dots between them.
        limits: The limits that the text was read with.

    Raises:
        Invalid: as `load_documents` does.
    """
    if not fields:
        return {}
    text = parseable(decode(body))
    positions = _positions(text, limits)
    requested = {
        number: position
        for position, number in enumerate(islice(positions, max(fields) + 1))
        if position in fields
    }
    lines: dict[int, DocumentLines] = {}
    outline = _Outline()
    number = 0
    for event in events(text):
        if isinstance(event, yaml.DocumentStartEvent):
            outline = _Outline()
        elif isinstance(event, yaml.DocumentEndEvent):
            position = requested.get(number)
            if position is not None:
                paths = fields[position]
                field_lines = tuple(_line_at(outline.root, path) for path in paths)
                lines[position] = DocumentLines(outline.root.line, field_lines)
                if len(lines) == len(requested):
                    break
            number += 1
        elif number in requested:
            outline.add(event)
    return lines


def _positions(text: str, limits: YamlLimits) -> Iterator[int]:
    """The numbers, counted with empty ones, of the documents that are not empty."""
    documents = Composer(limits).documents(text)
    return (number for number, document in enumerate(documents) if document is not None)


class _Outline:
    """The values of one document, each with its line; made from libyaml's events."""

    def __init__(self) -> None:
        self.root = _Node(1)
        self.has_root = False
        self._open: list[_Node] = []
        self._name: _Node | None = None
        self._names: list[_Node | None] = []
        self._anchors: dict[str, _Node] = {}

    def add(self, event: Any) -> None:
        """Take the next event of the document."""
        if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._open.pop()
            self._name = self._names.pop()
        elif isinstance(event, yaml.NodeEvent):
            node = self._node(event)
            name, self._name = self._name, None
            self._place(node, name)
            if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                self._open.append(node)
                self._names.append(self._name)
                self._name = None

    def _node(self, event: Any) -> _Node:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            return replace(self._anchors[str(event.anchor)], line=line)
        node = _Node(line, is_mapping=isinstance(event, yaml.MappingStartEvent))
        if isinstance(event, yaml.ScalarEvent):
            node.text = event.value
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _place(self, node: _Node, name: _Node | None) -> None:
        """Add a value to the open collection, or remember it as the next key."""
        if not self.has_root:
            self.root, self.has_root = node, True
        elif not self._open[-1].is_mapping:
            siblings = self._open[-1].children
            siblings[str(len(siblings))] = node
        elif name is None:
            self._name = node
        else:
            node.line = name.line
            self._open[-1].children[name.text] = node


def _line_at(root: _Node, path: str) -> int | None:
    """The line of the deepest existing value on a path; names may have dots."""
    node, remaining = root, path
    while remaining:
        names = [name for name in _path_prefixes(remaining) if name in node.children]
        if not names:
            break
        node, remaining = node.children[names[-1]], remaining[len(names[-1]) + 1 :]
    return None if node is root else node.line


def _path_prefixes(path: str) -> Iterator[str]:
    """`a`, `a.b` and `a.b.c` of `a.b.c`."""
    for place, sign in enumerate(path):
        if sign == ".":
            yield path[:place]
    yield path
