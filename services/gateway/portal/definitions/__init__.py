"""API definitions made readable: OpenAPI, AsyncAPI, GraphQL and Protocol Buffers.

`read_definition` never fails: what cannot be read comes back with its `problem` and its
raw text. Nothing outside the text is ever fetched.
"""

import asyncio
from collections.abc import Callable, Mapping

from services.gateway.portal.definitions import asyncapi, graphql, grpc, openapi
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


async def read_definition(kind: str, text: str) -> Definition:
    """The definition of an API whose `spec.type` is `kind`, read in a thread."""
    return await asyncio.to_thread(definition_of, kind, text)


def definition_of(kind: str, text: str) -> Definition:
    """The same at once; for a type without a reader there is the raw text only."""
    language, file_name, reader = READERS.get(
        kind.lower(), (kind or "Definition", "definition.txt", None)
    )
    if not text.strip():
        return Definition(language, text, file_name, problem="The definition is empty.")
    if reader is None:
        return Definition(language, text, file_name)
    try:
        return reader(text)
    except Unreadable as problem:
        return Definition(language, text, file_name, problem=str(problem))
    except RecursionError:
        problem_text = "The definition is nested too deeply to be shown."
        return Definition(language, text, file_name, problem=problem_text)


__all__ = ["Definition", "definition_of", "read_definition"]
