"""Where the documents of a YAML text begin, and the fields in them.

Errors alone ask for it: the text is read once more, and no marks are kept while all is
well.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from shared.guards.yaml_composer import Composer, YamlLimits
from shared.guards.yaml_encoding import decode
from shared.guards.yaml_events import events, parseable


@dataclass(frozen=True, slots=True)
class DocumentLines:
    """The line (from 1) of a document, and of each field that is asked for.

    The line of a field that is absent is that of the object it would stand in; None
    where not even the first name of its path is there.
    """

    start: int
    fields: tuple[int | None, ...] = ()


@dataclass(slots=True)
class _Node:
    """A value with the line where it, or its name, begins; `text` if it is a scalar."""

    line: int
    text: str = ""
    is_mapping: bool = False
    children: dict[str, "_Node"] = field(default_factory=dict)


def locate(
    body: bytes | str,
    fields: Mapping[int, Sequence[str]],
    limits: YamlLimits = YamlLimits(),
) -> list[DocumentLines]:
    """The lines of all documents that hold something, in order.

    Args:
        body: What `load_documents` has read.
        fields: Of documents, by their place in that order, the paths of fields:
            names and numbers with dots between them.
        limits: Those that the text was read with.

    Raises:
        Invalid: as `load_documents` does.
    """
    text = parseable(decode(body))
    documents = Composer(limits).documents(text)
    kept = [number for number, each in enumerate(documents) if each is not None]
    wanted = {kept[place]: paths for place, paths in fields.items()}
    lines: list[DocumentLines] = []
    outline = _Outline()
    for event in events(text):
        if isinstance(event, yaml.DocumentStartEvent):
            outline = _Outline()
        elif isinstance(event, yaml.DocumentEndEvent):
            paths = wanted.get(len(lines), ())
            found = tuple(_line_at(outline.root, path) for path in paths)
            lines.append(DocumentLines(outline.root.line, found))
        elif not outline.is_begun or len(lines) in wanted:
            outline.add(event)
    return [lines[number] for number in kept]


class _Outline:
    """The values of one document, each with its line; made from libyaml's events."""

    def __init__(self) -> None:
        self.root = _Node(1)
        self.is_begun = False
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
        """Put a value into the one that is open, or take it for the next one's name."""
        if not self.is_begun:
            self.root, self.is_begun = node, True
        elif not self._open[-1].is_mapping:
            siblings = self._open[-1].children
            siblings[str(len(siblings))] = node
        elif name is None:
            self._name = node
        else:
            node.line = name.line
            self._open[-1].children[name.text] = node


def _line_at(root: _Node, path: str) -> int | None:
    """The line of the last value on a path that is there; names may have dots."""
    node, rest = root, path
    while rest:
        names = [each for each in _beginnings(rest) if each in node.children]
        if not names:
            break
        node, rest = node.children[names[-1]], rest[len(names[-1]) + 1 :]
    return None if node is root else node.line


def _beginnings(path: str) -> Iterator[str]:
    """`a`, `a.b` and `a.b.c` of `a.b.c`."""
    for place, sign in enumerate(path):
        if sign == ".":
            yield path[:place]
    yield path
