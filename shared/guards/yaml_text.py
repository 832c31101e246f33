"""YAML text to plain JSON values and back, safely: YAML 1.2's core schema.

The one reader for everything that a stranger writes: descriptors, form answers,
definitions, settings of documentation. `dump_yaml` writes what it reads back equal.
"""

from collections.abc import Callable
from typing import Any

import yaml

from shared.contracts.errors import Invalid, TooLarge
from shared.guards.yaml_composer import Composer, TagReader, YamlLimits, syntax_error
from shared.guards.yaml_encoding import decode
from shared.guards.yaml_events import MOST_REPAIRS, disguised, repaired
from shared.guards.yaml_hints import hint
from shared.guards.yaml_writer import dump_yaml

__all__ = [
    "DESCRIPTOR",
    "FIELD",
    "YamlLimits",
    "dump_yaml",
    "load_documents",
    "load_yaml",
]

#: Files of a repository that may declare thousands of entities.
DESCRIPTOR = YamlLimits()
#: What a person types into a field of a form.
FIELD = YamlLimits(size=20_000, depth=20, nodes=2_000, aliases=20, expansion=2_000)


def load_documents(
    body: bytes | str, *, label: str = "", limits: YamlLimits = DESCRIPTOR
) -> list[Any]:
    """The documents in `body` that hold something, in order.

    Raises:
        Invalid: with line and column, if any part of it breaks the dialect.
        TooLarge: if it is over `limits.size` bytes.
    """
    return _documents(body, label, lambda: Composer(limits), limits.size)


def load_yaml(
    text: bytes | str,
    *,
    label: str,
    limits: YamlLimits = DESCRIPTOR,
    old: bool = False,
    read_tag: TagReader | None = None,
    unique_keys: bool = True,
    keep_numbers: bool = False,
) -> Any:
    """The value of a text that holds one document; None if it is empty.

    Args:
        text: UTF-8, if it is bytes.
        label: Names the text in errors, for people.
        limits: What the text may ask for.
        old: Whether words and numbers mean what YAML 1.1 says.
        read_tag: Makes a value of what has a tag of its own.
        unique_keys: Whether a key that comes twice is an error, or the last one holds.
        keep_numbers: Whether a number says how it is written (`WrittenNumber`), if
            its value alone would not.

    Raises:
        Invalid: with line and column, if any part of it breaks the dialect.
        TooLarge: if it is over `limits.size` bytes.
    """

    def composer() -> Composer:
        return Composer(
            limits,
            old=old,
            read_tag=read_tag,
            unique_keys=unique_keys,
            keep_numbers=keep_numbers,
        )

    documents = _documents(text, label, composer, limits.size)
    if len(documents) > 1:
        raise Invalid(f"{label}: holds {len(documents)} YAML documents, not one")
    return documents[0] if documents else None


def _documents(
    body: bytes | str, label: str, composer: Callable[[], Composer], most: int
) -> list[Any]:
    prefix = f"{label}: " if label else ""
    size = len(body)
    if size > most:
        raise TooLarge(f"{prefix}YAML of {size} bytes, at most {most}")
    try:
        return _compose(decode(body), composer)
    except Invalid as error:
        raise Invalid(f"{prefix}{error.message}") from error


def _compose(given: str, composer: Callable[[], Composer]) -> list[Any]:
    text = given
    for _ in range(MOST_REPAIRS):
        try:
            return _composed(text, composer())
        except yaml.MarkedYAMLError as error:
            better = repaired(text, error)
            if better is None:
                raise _explained(text, error) from error
            text = better
    try:
        return _composed(text, composer())
    except yaml.MarkedYAMLError as error:
        raise _explained(text, error) from error


def _composed(text: str, composer: Composer) -> list[Any]:
    try:
        documents = list(composer.documents(text))
    except yaml.reader.ReaderError as error:
        shown = disguised(text)
        raise Invalid(f"YAML error: {error.reason} {_place(shown, error)}") from error
    except UnicodeEncodeError as error:
        raise Invalid("YAML error: half of a surrogate pair") from error
    return [document for document in documents if document is not None]


def _explained(text: str, error: yaml.MarkedYAMLError) -> Invalid:
    problem, mark = error.problem or "syntax error", error.problem_mark
    broken = syntax_error(problem, mark)
    advice = hint(text, error)
    return Invalid(f"{broken.message}: {advice}") if advice else broken


def _place(text: str, error: yaml.reader.ReaderError) -> str:
    """Where the unreadable character stands; libyaml counts in bytes."""
    before = text.encode()[: error.position].decode(errors="ignore")
    column = len(before) - (before.rfind("\n") + 1)
    return f"at line {before.count(chr(10)) + 1}, column {column + 1}"
