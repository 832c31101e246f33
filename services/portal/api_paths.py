"""Paths and parameters of the public API that several pages request."""

from urllib.parse import quote

BY_NAME = "/api/catalog/entities/by-name"
BY_QUERY = "/api/catalog/entities/by-query"
BY_REFS = "/api/catalog/entities/by-refs"
ENTITY_FACETS = "/api/catalog/entity-facets"
TASKS = "/api/scaffolder/v2/tasks"
#: Narrows a list of entities to those with errors in their status.
HAS_ERRORS = "status.items.level=error"


def entity_path(ref: str) -> str:
    """The path of an entity."""
    kind, _, rest = ref.partition(":")
    return f"{BY_NAME}/{quote(kind)}/{quote(rest)}"


def by_name_params(*filters: str, fields: str, limit: int) -> list[tuple[str, str]]:
    """Of BY_QUERY for the first entities, by name, that one of the filters selects."""
    return [
        *(("filter", conditions) for conditions in filters),
        ("fields", fields),
        ("orderField", "metadata.name,asc"),
        ("limit", str(limit)),
    ]


def text_params(text: str, fields: str) -> list[tuple[str, str]]:
    """Of BY_QUERY for entities that contain a text in one of the fields, if any."""
    if not text:
        return []
    return [("fullTextFilterTerm", text), ("fullTextFilterFields", fields)]
