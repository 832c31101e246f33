"""Sections of a definition that are files of their own, and pointers through them."""

from posixpath import dirname, join, normpath
from typing import Any

import pytest

from services.catalog.ingest.bundling import bundle_files, outer_files
from shared.contracts.errors import Invalid
from shared.guards.yaml_text import load_yaml
from tests.costs import limit_processor_time

ROWS = "schemas/_index.yaml"
#: A definition whose sections are files of their own, as bundlers' manuals lay it out.
SECTIONS: dict[str, Any] = {
    "api.yaml": {
        "openapi": "3.0.3",
        "paths": {"$ref": "./paths/_index.yaml"},
        "components": {
            "schemas": {"$ref": "./schemas/_index.yaml"},
            "responses": {"None": {"$ref": "./none.yaml"}},
        },
    },
    "paths/_index.yaml": {"/seats": {"$ref": "./seats.yaml"}},
    "paths/seats.yaml": {
        "get": {
            "responses": {
                "200": {"schema": {"$ref": "../api.yaml#/components/schemas/Seat"}},
                "404": {"$ref": "../api.yaml#/components/responses/None"},
                "410": {
                    "schema": {"$ref": "../schemas/_index.yaml#/Row/properties/id"}
                },
                "418": {"schema": {"$ref": "../api.yaml#/components/schemas/Seat/x/y"}},
            }
        }
    },
    ROWS: {
        "Seat": {"$ref": "./seat.yaml"},
        "Row": {
            "properties": {"id": {"type": "integer"}, "next": {"$ref": "#/Row"}},
            "discriminator": {"mapping": {"seat": "./seat.yaml", "plain": "Row"}},
        },
    },
    "schemas/seat.yaml": {
        "type": "object",
        "properties": {"row": {"$ref": "./_index.yaml#/Row"}},
        "x": {"y": {"type": "string"}},
    },
    "none.yaml": {"description": "None"},
}


def links_of(files: dict[str, Any]) -> dict[tuple[str, str], str]:
    """Where every reference between the files leads, as the catalog would say."""
    return {
        (file, target): normpath(join(dirname(file), target))
        for file, body in files.items()
        for target in outer_files(body)
    }


def bundle(kind: str, files: dict[str, Any]) -> Any:
    """The one document that the files become; the first is the root."""
    text = bundle_files(kind, next(iter(files)), files, links_of(files))
    return load_yaml(text, label="bundle")


def test_sections_in_separate_files_are_inlined_in_the_root() -> None:
    """Pointers at the root pass through the sections, and nothing occurs twice."""
    whole = bundle("$openapi", SECTIONS)
    schemas = whole["components"]["schemas"]
    assert sorted(schemas) == ["Row", "Seat", "y"]
    assert schemas["Seat"]["properties"]["row"] == {"$ref": "#/components/schemas/Row"}
    row = schemas["Row"]
    assert row["properties"]["next"] == {"$ref": "#/components/schemas/Row"}
    mapping = {"seat": "#/components/schemas/Seat", "plain": "Row"}
    assert row["discriminator"]["mapping"] == mapping
    assert whole["components"]["responses"]["None"] == {"description": "None"}
    answers = whole["paths"]["/seats"]["get"]["responses"]
    assert answers["200"]["schema"] == {"$ref": "#/components/schemas/Seat"}
    assert answers["404"] == {"$ref": "#/components/responses/None"}
    place = "#/components/schemas/Row/properties/id"
    assert answers["410"]["schema"] == {"$ref": place}
    assert answers["418"]["schema"] == {"$ref": "#/components/schemas/y"}


def test_channels_in_a_separate_file_are_inlined_in_the_root() -> None:
    """References to the channels in the root stay valid."""
    files: dict[str, Any] = {
        "api.yaml": {
            "asyncapi": "3.0.0",
            "channels": {"$ref": "ch.yaml#/all"},
            "operations": {"send": {"channel": {"$ref": "#/channels/paid"}}},
        },
        "ch.yaml": {"all": {"paid": {"address": "paid"}}},
    }
    whole = bundle("$asyncapi", files)
    assert whole["channels"] == {"paid": {"address": "paid"}}
    assert whole["operations"]["send"]["channel"] == {"$ref": "#/channels/paid"}


def test_each_copy_of_a_section_counts_toward_the_size_limit() -> None:
    """A hundred copies of a large file are refused before they are made."""
    big = {f"k{n}": {"type": "string"} for n in range(20_000)}
    root: dict[str, Any] = {f"x{n}": {"$ref": "big.yaml"} for n in range(200)}
    files = {"r.yaml": {"openapi": "3.0.0", **root}, "big.yaml": big}
    with limit_processor_time(10), pytest.raises(Invalid, match="too many elements"):
        bundle_files("$openapi", "r.yaml", files, links_of(files))


@pytest.mark.parametrize("target", ["a.yaml#/x", "r.yaml#/components/schemas/X/y"])
def test_circular_sections_and_pointers_are_refused(target: str) -> None:
    """A reference that leads to itself is named in the error."""
    files: dict[str, Any] = {
        "r.yaml": {
            "openapi": "3.0.0",
            "paths": {"$ref": "a.yaml#/x"},
            "components": {"schemas": {"X": {"$ref": "#/components/schemas/X/y"}}},
        },
        "a.yaml": {"x": {"$ref": target}},
    }
    with pytest.raises(Invalid, match="leads"):
        bundle_files("$openapi", "r.yaml", files, links_of(files))


def test_a_reference_that_is_no_pointer_is_left_unchanged() -> None:
    """Inside a section in a file of its own, and in place of a whole section."""
    files: dict[str, Any] = {
        "r.yaml": {
            "openapi": "3.1.0",
            "paths": {"$ref": "a.yaml"},
            "x-more": {"$ref": "a.yaml#name"},
        },
        "a.yaml": {"/seats": {"get": {"schema": {"$ref": "#name"}}}},
    }
    whole = bundle("$openapi", files)
    assert whole["paths"]["/seats"]["get"]["schema"] == {"$ref": "#name"}
    assert whole["x-more"] == {"$ref": "a.yaml#name"}
