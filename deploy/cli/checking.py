"""`callboard validate`: the catalog's own rules, applied to files without a portal."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.catalog.descriptor import envelope, kinds
from services.catalog.ingest import placeholders
from shared.contracts.errors import CallboardError, Invalid
from shared.guards.yaml_text import load_documents

LIMIT = 10 * 1024 * 1024
#: What stands for a file that is elsewhere.
ABSENT: dict[str, Any] = {"$text": "elsewhere", "$json": {}, "$yaml": {}}
SUFFIXES = (".yaml", ".yml", ".json")
#: In a folder only files of these names are taken for descriptors.
NAMES = ("catalog-info", "all", "entities", "org", "template", "users", "groups")


@dataclass(frozen=True, slots=True)
class Finding:
    """One document of one file, and the first rule it breaks."""

    file: Path
    ref: str | None
    error: str | None

    def as_json(self) -> dict[str, Any]:
        return {"file": str(self.file), "ref": self.ref, "error": self.error}


def check_path(path: Path) -> list[Finding]:
    """Every descriptor at `path`, checked."""
    if path.is_dir():
        files = sorted(_descriptors(path))
        if not files:
            return [Finding(path, None, "holds no catalog-info.yaml")]
        return [finding for file in files for finding in _check_file(file)]
    return list(_check_file(path))


def _descriptors(folder: Path) -> Iterator[Path]:
    for file in folder.rglob("*"):
        if file.suffix in SUFFIXES and file.stem.startswith(NAMES) and file.is_file():
            yield file


def _check_file(file: Path) -> Iterator[Finding]:
    try:
        if file.stat().st_size > LIMIT:
            yield Finding(file, None, f"over the limit of {LIMIT} bytes")
            return
        found = load_documents(file.read_bytes())
    except OSError as error:
        yield Finding(file, None, f"cannot be read: {error.strerror}")
        return
    except CallboardError as error:
        yield Finding(file, None, error.message)
        return
    for document in found:
        yield _check(file, document)


def _check(file: Path, document: Any) -> Finding:
    try:
        ref = str(envelope.identify(document))
    except CallboardError as error:
        return Finding(file, None, error.message)
    try:
        document = placeholders.filled(document, _included(file, document))
    except CallboardError as error:
        return Finding(file, ref, error.message)
    entity = envelope.completed(document)
    broken = [*envelope.problems(entity), *kinds.problems(entity)]
    return Finding(file, ref, broken[0] if broken else None)


def _included(file: Path, document: Any) -> dict[placeholders.Placeholder, Any]:
    """What the placeholders of a document stand for, read from beside its file."""
    found: dict[placeholders.Placeholder, Any] = {}
    for name, target in placeholders.find(document):
        if "://" in target:
            # Only a portal can read it, by its integrations: taken as it should be.
            found[name, target] = ABSENT[name]
            continue
        try:
            body = (file.parent / target).read_bytes()
            found[name, target] = placeholders.content(name, body)
        except OSError as error:
            found[name, target] = Invalid(f"cannot be read: {error.strerror}")
        except CallboardError as error:
            found[name, target] = error
    return found
