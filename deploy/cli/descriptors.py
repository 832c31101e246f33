"""Which files of a folder are descriptors, and why the others are left out."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from shared.contracts.errors import CallboardError
from shared.guards.yaml_lines import DocumentLines, locate
from shared.guards.yaml_text import DESCRIPTOR, load_documents

SUFFIXES = (".yaml", ".yml", ".json")
#: In a folder files of these names are looked at, and others that say what they are.
NAMES = ("catalog-info", "all", "entities", "org", "template", "users", "groups")
#: A file of this name is a descriptor, whatever it holds.
CERTAIN = "catalog-info"
NOT_ENTERED = frozenset({".git", ".hg", ".svn", "node_modules", ".venv", "__pycache__"})
GROUPS = ("backstage.io/", "scaffolder.backstage.io/", "callboard.dev/")
FILLED_IN = "holds ${{ … }}: a template fills it in"
FOREIGN = "holds no entity: another tool's file"
_EXPRESSION = re.compile(r"\$\{\{|\{%")
_DECLARATION = re.compile(
    rb"""^(?:(?:\{ *)?apiVersion|\s*\{?\s*"apiVersion") *: *["']?(?:%s)"""
    % b"|".join(re.escape(group.encode()) for group in GROUPS),
    re.MULTILINE,
)


class DescriptorDocument(NamedTuple):
    """A document of a descriptor, and how many stand before it."""

    position: int
    value: Any


@dataclass(slots=True)
class Selection:
    """The descriptors below a folder, each with its documents, and what is no one.

    `problems` are descriptors that cannot be read, with the reason.
    """

    documents: dict[Path, list[DescriptorDocument]] = field(default_factory=dict)
    left_out: dict[Path, str] = field(default_factory=dict)
    problems: dict[Path, str] = field(default_factory=dict)


def select(folder: Path) -> Selection:
    """Look through a folder: its descriptors, without skeletons and foreign files."""
    selection = Selection()
    for file in sorted(_named(folder)):
        _sort(file, selection)
    skeletons = _skeletons(selection)
    for file in [*selection.documents, *selection.problems]:
        above = next((s for s in skeletons if file.is_relative_to(s)), None)
        if above is not None:
            selection.documents.pop(file, None)
            selection.problems.pop(file, None)
            name = skeletons[above].name
            selection.left_out[file] = f"belongs to the skeleton of {name}"
    return selection


def read(file: Path) -> list[DescriptorDocument]:
    """The documents of a descriptor.

    Raises:
        CallboardError: with line and column, if it is no YAML.
        OSError: if it cannot be read.
    """
    with file.open("rb") as source:
        values = load_documents(source.read(DESCRIPTOR.size + 1))
    return [
        DescriptorDocument(position, value) for position, value in enumerate(values)
    ]


def lines(file: Path, fields: Mapping[int, Sequence[str]]) -> list[DocumentLines]:
    """The lines of a descriptor's documents, and of fields of some of them.

    `fields` are their paths by the position of the document. Raises as `read`.
    """
    with file.open("rb") as source:
        return locate(source.read(DESCRIPTOR.size + 1), fields)


def _named(folder: Path) -> Iterator[Path]:
    for at, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in NOT_ENTERED]
        for name in names:
            file = Path(at) / name
            if file.suffix in SUFFIXES and (
                file.stem.startswith(NAMES) or _declares(file)
            ):
                yield file


def _declares(file: Path) -> bool:
    """Whether a file says at the beginning of a line that it is for a catalog."""
    try:
        return _DECLARATION.search(_beginning(file)) is not None
    except OSError:
        return False


def _beginning(file: Path) -> bytes:
    with file.open("rb") as source:
        return source.read(DESCRIPTOR.size)


def _sort(file: Path, selection: Selection) -> None:
    certain = file.stem == CERTAIN
    try:
        documents = read(file)
    except OSError as error:
        selection.problems[file] = f"cannot be read: {error.strerror}"
        return
    except CallboardError as error:
        # A skeleton need not be YAML before it is filled in.
        if _is_filled_in(file):
            selection.left_out[file] = FILLED_IN
        elif certain or _declares(file):
            selection.problems[file] = error.message
        else:
            selection.left_out[file] = f"{FOREIGN} ({error.message})"
        return
    kept = [each for each in documents if not _is_skeleton(each.value)]
    if documents and not kept:
        selection.left_out[file] = FILLED_IN
    elif not certain and not any(is_entity(each.value) for each in kept):
        selection.left_out[file] = FOREIGN
    else:
        selection.documents[file] = kept


def is_entity(document: Any) -> bool:
    """Whether a document says of itself that it is for a catalog of this kind."""
    if not isinstance(document, Mapping) or "kind" not in document:
        return False
    return str(document.get("apiVersion", "")).startswith(GROUPS)


def _is_skeleton(document: Any) -> bool:
    """Whether a template fills the document in; a template itself has expressions."""
    if isinstance(document, Mapping) and document.get("kind") == "Template":
        metadata = document.get("metadata")
        name = metadata.get("name") if isinstance(metadata, Mapping) else None
        return _has_expression(name)
    return _has_expression(document)


def _has_expression(value: Any) -> bool:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str) and "${{" in each:
            return True
        if isinstance(each, Mapping):
            waiting += [*each.keys(), *each.values()]
        elif isinstance(each, list):
            waiting += each
    return False


def _is_filled_in(file: Path) -> bool:
    text = _beginning(file).decode(errors="replace")
    return _EXPRESSION.search(text) is not None


def _skeletons(selection: Selection) -> dict[Path, Path]:
    """The folders that templates fetch, with the file of the template."""
    found: dict[Path, Path] = {}
    for file, documents in selection.documents.items():
        for _, document in documents:
            if isinstance(document, Mapping) and document.get("kind") == "Template":
                for target in _fetched(document):
                    folder = Path(os.path.normpath(file.parent / target))
                    # A template that fetches all beside it does not hide itself.
                    if folder != file.parent and folder not in file.parents:
                        found.setdefault(folder, file)
    return found


def _fetched(template: Mapping[str, Any]) -> Iterator[str]:
    """The relative folders that a template's steps fetch."""
    spec = template.get("spec")
    steps = spec.get("steps") if isinstance(spec, Mapping) else None
    for step in steps if isinstance(steps, list) else ():
        if not isinstance(step, Mapping):
            continue
        given = step.get("input")
        url = given.get("url") if isinstance(given, Mapping) else None
        is_fetch = str(step.get("action", "")).startswith("fetch:")
        if is_fetch and isinstance(url, str) and "://" not in url:
            # What stands before the first expression is the same for all answers.
            fixed = url.partition("${{")[0]
            target = fixed if fixed == url else fixed.rpartition("/")[0]
            if target:
                yield target
