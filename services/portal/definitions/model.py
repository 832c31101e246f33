"""An API's definition as a page shows it, whatever language it was written in.

Groups of entries (operations, channels, types, calls), each with parts, each part a
table of rows. Also the small helpers that read documents nobody has checked.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.contracts.entity import mapping_of


@dataclass(frozen=True, slots=True)
class DefinitionRow:
    """A field, parameter or value; `depth` counts how far inside others it stands.

    `link` is the entry that explains its type, as the entry's id.
    """

    name: str
    type: str = ""
    about: str = ""
    required: bool = False
    deprecated: bool = False
    depth: int = 0
    link: str = ""


@dataclass(frozen=True, slots=True)
class DefinitionPart:
    """What goes in or comes out: parameters, a body, an answer.

    `raw` is a schema as it is written, of a language that has no rows here.
    """

    title: str
    rows: Sequence[DefinitionRow] = ()
    about: str = ""
    tone: str = ""
    example: str = ""
    raw: str = ""


@dataclass(frozen=True, slots=True)
class DefinitionEntry:
    """One operation, channel, call or type; `gives` is the type of its answer.

    `html` is `about` as the page shows it, unless that is the summary. `facts` are
    short properties with their labels, such as the id of an operation.
    """

    id: str
    name: str
    mark: str = ""
    tone: str = ""
    summary: str = ""
    about: str = ""
    deprecated: bool = False
    parts: Sequence[DefinitionPart] = ()
    gives: str = ""
    html: str = ""
    facts: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Entries that belong together: a tag, a service, the types."""

    id: str
    title: str
    about: str = ""
    entries: Sequence[DefinitionEntry] = ()


@dataclass(frozen=True, slots=True)
class Definition:
    """A definition as it was read, or the `problem` for which it could not be read.

    `raw` is the text as it is in the catalog, `file_name` what it downloads as. `notes`
    say what of it is not shown, and why. `html` is `about` as the page shows it.
    """

    language: str
    raw: str
    file_name: str
    title: str = ""
    version: str = ""
    about: str = ""
    html: str = ""
    facts: Sequence[tuple[str, str]] = ()
    groups: Sequence[Group] = ()
    problem: str = ""
    notes: Sequence[str] = field(default=())


class Unreadable(Exception):
    """The text is not what its type promises; the message is for people."""


def words(value: object) -> str:
    """A scalar as text; nothing for what is none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip() if isinstance(value, str | int | float) else ""


def join_texts(*texts: str, mark: str = " · ") -> str:
    """The texts that are not empty, with a mark between them."""
    return mark.join(filter(None, texts))


def clip(text: str, most: int) -> str:
    """A text, or its beginning with an ellipsis where it is longer than `most`."""
    return text if len(text) <= most else f"{text[:most]}…"


def objects(value: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Names and objects of an object of objects; anything else in it is passed over."""
    for name, item in mapping_of(value).items():
        if isinstance(item, Mapping):
            yield str(name), item


def anchor(*parts: str) -> str:
    """An id for the page, made of names."""
    join_texts = "-".join(part[:200] for part in parts).lower()
    return re.sub(r"[^a-z0-9]+", "-", join_texts).strip("-") or "entry"
