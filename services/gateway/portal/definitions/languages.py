"""The languages of definitions, and one definition read in the language it is in."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from services.gateway.portal.definitions import asyncapi, graphql, grpc, openapi
from services.gateway.portal.definitions.fitting import fitted
from services.gateway.portal.definitions.model import Definition, Unreadable

Reader = Callable[[str], Definition]

READERS: Mapping[str, tuple[str, str, Reader]] = {
    "openapi": ("OpenAPI", "openapi.yaml", openapi.read),
    "swagger": ("OpenAPI", "openapi.yaml", openapi.read),
    "asyncapi": ("AsyncAPI", "asyncapi.yaml", asyncapi.read),
    "graphql": ("GraphQL", "schema.graphql", graphql.read),
    "grpc": ("gRPC", "api.proto", grpc.read),
    "protobuf": ("gRPC", "api.proto", grpc.read),
}


def file_name_of(kind: str, text: str) -> str:
    """What a definition downloads as, without reading it."""
    name = READERS.get(kind.lower(), ("", "definition.txt", None))[1]
    if name.endswith(".yaml") and text[:1_000].lstrip()[:1] == "{":
        return name.removesuffix("yaml") + "json"
    return name


def unread(kind: str, text: str, problem: str = "") -> Definition:
    """A definition of which there is the raw text only, and the reason for it."""
    language = READERS.get(kind.lower(), (kind[:100] or "Definition",))[0]
    return Definition(language, text, file_name_of(kind, text), problem=problem)


def definition_of(kind: str, text: str) -> Definition:
    """The definition of an API whose `spec.type` is `kind`, fit for a page."""
    if not text.strip():
        return unread(kind, text, "The definition is empty.")
    if kind.lower() not in READERS:
        return unread(kind, text)
    try:
        return fitted(READERS[kind.lower()][2](text))
    except Unreadable as problem:
        return unread(kind, text, str(problem))
    except RecursionError:
        return unread(kind, text, "The definition is nested too deeply to be shown.")


def without_text(kind: str, text: str) -> Definition:
    """The same for another process, which has the text itself."""
    return replace(definition_of(kind, text), raw="")
