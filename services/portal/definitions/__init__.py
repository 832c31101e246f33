"""API definitions made readable: OpenAPI, AsyncAPI, GraphQL and Protocol Buffers.

Reading never fails: what cannot be read comes back with its `problem` and its raw text.
Nothing outside the text is ever fetched.
"""

from services.portal.definitions.entry_search import matching_entries
from services.portal.definitions.languages import definition_of, file_name_of
from services.portal.definitions.model import Definition
from services.portal.definitions.reading import DefinitionReader

__all__ = [
    "Definition",
    "DefinitionReader",
    "definition_of",
    "file_name_of",
    "matching_entries",
]
