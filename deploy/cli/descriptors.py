"""Finds the descriptors in a folder, with the reasons why other files are left out."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from services.catalog.descriptor_checks import with_text_advice
from shared.contracts.errors import CallboardError, Invalid
from shared.guards.regular_files import read_regular_file
from shared.guards.yaml_lines import DocumentLines, locate
from shared.guards.yaml_text import DESCRIPTOR, load_documents

SUFFIXES = (".yaml", ".yml", ".json")
#: Files whose names begin so are read, and others that declare an apiVersion.
NAMES = ("catalog-info", "all", "entities", "org", "template", "users", "groups")
#: A file of this name is always a descriptor.
DESCRIPTOR_NAME = "catalog-info"
SKIPPED_FOLDERS = frozenset(
    {".git", ".hg", ".svn", "node_modules", ".venv", "__pycache__"}
)
GROUPS = ("backstage.io/", "scaffolder.backstage.io/", "callboard.dev/")
SKELETON_REASON = "holds ${{ … }}: a template fills it in"
FOREIGN_REASON = "holds no entity: another tool's file"
_EXPRESSION = re.compile(r"\$\{\{|\{%")
_DECLARATION = re.compile(
    rb"""^(?:(?:\{ *)?apiVersion|\s*\{?\s*"apiVersion") *: *["']?(?:%s)"""
    % b"|".join(re.escape(group.encode()) for group in GROUPS),
    re.MULTILINE,
)


class DescriptorDocument(NamedTuple):
    """A document of a descriptor, and its position in the file."""

    position: int
    value: Any


@dataclass(slots=True)
class Selection:
    """The descriptors below a folder with their documents, and the files left out.

    `problems` maps descriptors that cannot be read to the reason.
    """

    documents: dict[Path, list[DescriptorDocument]] = field(default_factory=dict)
    left_out: dict[Path, str] = field(default_factory=dict)
    problems: dict[Path, str] = field(default_factory=dict)


def select(folder: Path) -> Selection:
    """Find the descriptors in a folder, without skeletons and other tools' files."""
    selection = Selection()
    for file in sorted(_candidate_files(folder)):
        _classify(file, selection)
    skeletons = _skeletons(selection)
    for file in [*selection.documents, *selection.problems]:
        skeleton = next(
            (
                folder_path
                for folder_path in skeletons
                if file.is_relative_to(folder_path)
            ),
            None,
        )
        if skeleton is not None:
            selection.documents.pop(file, None)
            selection.problems.pop(file, None)
            name = skeletons[skeleton].name
            selection.left_out[file] = f"belongs to the skeleton of {name}"
    return selection


def read(file: Path) -> list[DescriptorDocument]:
    """The documents of a descriptor.

    Raises:
        CallboardError: with line and column, if it is not YAML.
        OSError: if it cannot be read.
    """
    values = load_documents(read_regular_file(file, DESCRIPTOR.size + 1))
    return [
        DescriptorDocument(position, value) for position, value in enumerate(values)
    ]


def described(error: CallboardError, file: Path) -> str:
    """Why a file cannot be read, and what it may be instead of a descriptor."""
    try:
        body = _beginning(file)
    except OSError:
        return error.message
    is_broken = isinstance(error, Invalid)
    return with_text_advice(error.message, body) if is_broken else error.message


def lines(file: Path, fields: Mapping[int, Sequence[str]]) -> dict[int, DocumentLines]:
    """The lines of some of a descriptor's documents, and of fields of them.

    `fields` maps a document's position to paths of fields. Raises as `read` does.
    """
    return locate(read_regular_file(file, DESCRIPTOR.size + 1), fields)


def _candidate_files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS]
        for name in names:
            file = Path(parent) / name
            if file.suffix in SUFFIXES and (
                file.stem.startswith(NAMES) or _declares(file)
            ):
                yield file


def _declares(file: Path) -> bool:
    """Whether a line of the file begins with an apiVersion of a catalog."""
    try:
        return _DECLARATION.search(_beginning(file)) is not None
    except OSError:
        return False


def _beginning(file: Path) -> bytes:
    return read_regular_file(file, DESCRIPTOR.size)


def _classify(file: Path, selection: Selection) -> None:
    is_descriptor = file.stem == DESCRIPTOR_NAME
    try:
        documents = read(file)
    except OSError as error:
        selection.problems[file] = f"cannot be read: {error.strerror}"
        return
    except CallboardError as error:
        # A skeleton need not be valid YAML.
        if _is_filled_in(file):
            selection.left_out[file] = SKELETON_REASON
        elif is_descriptor or _declares(file):
            selection.problems[file] = described(error, file)
        else:
            selection.left_out[file] = f"{FOREIGN_REASON} ({error.message})"
        return
    complete = [document for document in documents if not _is_skeleton(document.value)]
    if documents and not complete:
        selection.left_out[file] = SKELETON_REASON
    elif not is_descriptor and not any(
        is_entity(document.value) for document in complete
    ):
        selection.left_out[file] = FOREIGN_REASON
    else:
        selection.documents[file] = complete


def is_entity(document: Any) -> bool:
    """Whether a document has a kind and an apiVersion of a catalog."""
    if not isinstance(document, Mapping) or "kind" not in document:
        return False
    return str(document.get("apiVersion", "")).startswith(GROUPS)


def _is_skeleton(document: Any) -> bool:
    """Whether the document is part of a skeleton; templates may have expressions."""
    if isinstance(document, Mapping) and document.get("kind") == "Template":
        metadata = document.get("metadata")
        name = metadata.get("name") if isinstance(metadata, Mapping) else None
        return _has_expression(name)
    return _has_expression(document)


def _has_expression(value: Any) -> bool:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str) and "${{" in item:
            return True
        if isinstance(item, Mapping):
            pending += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            pending += item
    return False


def _is_filled_in(file: Path) -> bool:
    text = _beginning(file).decode(errors="replace")
    return _EXPRESSION.search(text) is not None


def _skeletons(selection: Selection) -> dict[Path, Path]:
    """The folders that templates fetch, each with the template's file."""
    skeletons: dict[Path, Path] = {}
    for file, documents in selection.documents.items():
        for _, document in documents:
            if isinstance(document, Mapping) and document.get("kind") == "Template":
                for target in _fetched_folders(document):
                    base = _repository(file) if target[0] == "/" else file.parent
                    folder = Path(os.path.normpath(base / target.lstrip("/")))
                    # A template that fetches its own folder is not left out.
                    if folder != file.parent and folder not in file.parents:
                        skeletons.setdefault(folder, file)
    return skeletons


def _fetched_folders(template: Mapping[str, Any]) -> Iterator[str]:
    """The relative folders that a template's steps fetch from."""
    spec = template.get("spec")
    steps = spec.get("steps") if isinstance(spec, Mapping) else None
    for step in steps if isinstance(steps, list) else ():
        if not isinstance(step, Mapping):
            continue
        step_input = step.get("input")
        url = step_input.get("url") if isinstance(step_input, Mapping) else None
        is_fetch = str(step.get("action", "")).startswith("fetch:")
        if is_fetch and isinstance(url, str) and "://" not in url:
            # The part before the first expression is the same for all parameters.
            fixed = url.partition("${{")[0]
            target = fixed if fixed == url else fixed.rpartition("/")[0]
            if target:
                yield unquote(target)


def _repository(file: Path) -> Path:
    """The root of the file's repository; its folder, if it is in none."""
    folders = (folder for folder in file.parents if (folder / ".git").exists())
    return next(folders, file.parent)
