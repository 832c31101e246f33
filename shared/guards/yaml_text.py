"""Reads foreign YAML text (YAML 1.2's core schema) to plain JSON values, and writes it.

Every foreign text is read here: descriptors, form answers, definitions, settings of
documentation. `dump_yaml` writes text that `load_yaml` reads back equal.
"""

from collections.abc import Callable
from typing import Any

import yaml

from shared.contracts.errors import Invalid, TooLarge
from shared.guards.yaml_composer import Composer, TagReader, YamlLimits, syntax_error
from shared.guards.yaml_encoding import decode
from shared.guards.yaml_events import REPAIR_LIMIT, repaired, with_standins
from shared.guards.yaml_hints import hint
from shared.guards.yaml_scalars import KeepWritten
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
#: Text that a person types into a form field.
FIELD = YamlLimits(size=20_000, depth=20, nodes=2_000, aliases=20, expansion=2_000)


def load_documents(
    body: bytes | str, *, label: str = "", limits: YamlLimits = DESCRIPTOR
) -> list[Any]:
    """The documents in `body` that are not empty, in order.

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
    keep_written: KeepWritten = "",
    settings: bool = False,
) -> Any:
    """The value of a text that holds one document; None if it is empty.

    Args:
        text: UTF-8, if it is bytes.
        label: Names the text in errors; "" where its reader knows which it is.
        limits: Limits on the text.
        old: Whether words and numbers have the meaning of YAML 1.1.
        read_tag: Converts values with custom tags.
        unique_keys: Whether a repeated key is an error; otherwise the last one counts.
        keep_written: The scalars that keep their written form: numbers if the value
            alone would lose it (`WrittenNumber`), truth values (`WrittenBoolean`).
        settings: Whether `<<` merges mappings, as in YAML 1.1, and keys are texts as
            they are written.

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
            keep_written=keep_written,
            settings=settings,
        )

    documents = _documents(text, label, composer, limits.size)
    if len(documents) > 1:
        subject = f"{label}:" if label else "The text"
        raise Invalid(f"{subject} holds {len(documents)} YAML documents, not one")
    return documents[0] if documents else None


def _documents(
    body: bytes | str, label: str, composer: Callable[[], Composer], limit: int
) -> list[Any]:
    prefix = f"{label}: " if label else ""
    size = len(body)
    if size > limit:
        raise TooLarge(f"{prefix}YAML of {size} bytes, at most {limit}")
    try:
        return _compose(decode(body), composer)
    except Invalid as error:
        raise Invalid(f"{prefix}{error.message}") from error


def _compose(original: str, composer: Callable[[], Composer]) -> list[Any]:
    text = original
    for _ in range(REPAIR_LIMIT):
        try:
            return _compose_once(text, composer())
        except yaml.MarkedYAMLError as error:
            repaired_text = repaired(text, error)
            if repaired_text is None:
                raise _with_hint(text, error) from error
            text = repaired_text
    try:
        return _compose_once(text, composer())
    except yaml.MarkedYAMLError as error:
        raise _with_hint(text, error) from error


def _compose_once(text: str, composer: Composer) -> list[Any]:
    try:
        documents = list(composer.documents(text))
    except yaml.reader.ReaderError as error:
        readable = with_standins(text)
        raise Invalid(
            f"YAML error: {error.reason} {_place(readable, error)}"
        ) from error
    except UnicodeEncodeError as error:
        raise Invalid("YAML error: half of a surrogate pair") from error
    return [document for document in documents if document is not None]


def _with_hint(text: str, error: yaml.MarkedYAMLError) -> Invalid:
    problem, mark = error.problem or "syntax error", error.problem_mark
    broken = syntax_error(problem, mark)
    advice = hint(text, error)
    return Invalid(f"{broken.message}: {advice}") if advice else broken


def _place(text: str, error: yaml.reader.ReaderError) -> str:
    """The line and column of the unreadable character; libyaml counts in bytes."""
    before = text.encode()[: error.position].decode(errors="ignore")
    column = len(before) - (before.rfind("\n") + 1)
    return f"at line {before.count(chr(10)) + 1}, column {column + 1}"
