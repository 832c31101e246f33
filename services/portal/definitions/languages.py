"""Reads a definition with the reader of its language."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from services.portal.definitions import asyncapi, graphql, grpc, openapi
from services.portal.definitions.model import (
    Definition,
    DefinitionEntry,
    Unreadable,
)
from services.portal.definitions.page_limits import fit_to_page

Reader = Callable[[str], Definition]
PIECE_ENTRIES = 200
NOTHING_LISTED = (
    "No operation, channel, type or schema is described in it where they are looked "
    "for. Its text is below as it is in the catalog."
)

READERS: Mapping[str, tuple[str, str, Reader]] = {
    "openapi": ("OpenAPI", "openapi.yaml", openapi.read),
    "swagger": ("OpenAPI", "openapi.yaml", openapi.read),
    "asyncapi": ("AsyncAPI", "asyncapi.yaml", asyncapi.read),
    "graphql": ("GraphQL", "schema.graphql", graphql.read),
    "grpc": ("gRPC", "api.proto", grpc.read),
    "protobuf": ("gRPC", "api.proto", grpc.read),
}


def file_name_of(kind: str, text: str) -> str:
    """The file name that a definition is downloaded with."""
    name = READERS.get(kind.lower(), ("", "definition.txt", None))[1]
    if name.endswith(".yaml") and text[:1_000].lstrip()[:1] == "{":
        return name.removesuffix("yaml") + "json"
    return name


def unread_definition(kind: str, text: str, problem: str = "") -> Definition:
    """A definition with its raw text only, and the reason why it was not read."""
    language = READERS.get(kind.lower(), (kind[:100] or "Definition",))[0]
    return Definition(language, text, file_name_of(kind, text), problem=problem)


def definition_of(kind: str, text: str) -> Definition:
    """The definition of an API whose `spec.type` is `kind`, fit for a page."""
    if not text.strip():
        return unread_definition(kind, text, "The definition is empty.")
    if kind.lower() not in READERS:
        return unread_definition(kind, text)
    try:
        definition = fit_to_page(READERS[kind.lower()][2](text))
    except Unreadable as problem:
        return unread_definition(kind, text, str(problem))
    except RecursionError:
        return unread_definition(
            kind, text, "The definition is nested too deeply to be shown."
        )
    if definition.groups:
        return definition
    return replace(definition, notes=(*definition.notes, NOTHING_LISTED))


def without_text(kind: str, text: str) -> Definition:
    """The same without the text itself."""
    return replace(definition_of(kind, text), raw="")


def in_pieces(kind: str, text: str) -> list[Any]:
    """The same from another process: all but the entries, then a few of them each.

    Unpickled at once, a large definition would hold up every thread of this process.
    """
    whole = without_text(kind, text)
    pieces = [
        (number, group.entries[start : start + PIECE_ENTRIES])
        for number, group in enumerate(whole.groups)
        for start in range(0, len(group.entries), PIECE_ENTRIES)
    ]
    groups = [replace(group, entries=()) for group in whole.groups]
    return [replace(whole, groups=groups), *pieces]


def of_pieces(pieces: Sequence[Any]) -> Definition:
    """The definition that `in_pieces` took apart."""
    whole: Definition = pieces[0]
    entries: list[list[DefinitionEntry]] = [[] for _ in whole.groups]
    for number, piece in pieces[1:]:
        entries[number] += piece
    pairs = zip(whole.groups, entries, strict=True)
    return replace(whole, groups=[replace(group, entries=own) for group, own in pairs])
