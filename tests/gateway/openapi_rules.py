"""OpenAPI 3.1's rules for the parts that our document uses, as a JSON Schema.

Written after the specification (https://spec.openapis.org/oas/v3.1.1): closed objects,
so that a misspelt field is an error.
"""

from typing import Any

WORDS: dict[str, Any] = {"type": "string"}
FLAG: dict[str, Any] = {"type": "boolean"}


def closed(required: str, /, **properties: Any) -> dict[str, Any]:
    """An object with these fields and no others."""
    return {
        "type": "object",
        "required": required.split(),
        "properties": properties,
        "additionalProperties": False,
    }


def ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


def either(name: str) -> dict[str, Any]:
    """The thing, or a reference to it."""
    return {
        "if": {"type": "object", "required": ["$ref"]},
        "then": ref("reference"),
        "else": ref(name),
    }


def named(name: str) -> dict[str, Any]:
    """A map of components, whose names are restricted."""
    return {
        "type": "object",
        "patternProperties": {"^[a-zA-Z0-9._-]+$": either(name)},
        "additionalProperties": False,
    }


METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
DOCUMENT: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    **closed(
        "openapi info paths",
        openapi={"pattern": r"^3\.1\.\d+$"},
        info=closed("title version", title=WORDS, version=WORDS, description=WORDS),
        servers={"type": "array", "items": closed("url", url=WORDS)},
        security=ref("security"),
        tags={"type": "array", "items": closed("name", name=WORDS)},
        paths={
            "type": "object",
            "patternProperties": {"^/": ref("path")},
            "additionalProperties": False,
        },
        components=closed(
            "",
            schemas=named("schema"),
            responses=named("response"),
            securitySchemes=named("scheme"),
        ),
    ),
    "$defs": {
        "reference": closed("$ref", **{"$ref": {"pattern": "^#/components/"}}),
        "path": closed("", **{method: ref("operation") for method in METHODS}),
        "operation": closed(
            "responses operationId summary",
            tags={"type": "array", "items": WORDS},
            summary={"type": "string", "minLength": 1},
            description=WORDS,
            operationId={"type": "string", "minLength": 1},
            parameters={
                "type": "array",
                "uniqueItems": True,
                "items": either("parameter"),
            },
            requestBody=either("body"),
            responses={
                "type": "object",
                "minProperties": 1,
                "patternProperties": {
                    "^([1-5](\\d\\d|XX)|default)$": either("response")
                },
                "additionalProperties": False,
            },
            security=ref("security"),
        ),
        "parameter": {
            **closed(
                "name in schema",
                name=WORDS,
                **{"in": {"enum": ["query", "header", "path", "cookie"]}},
                required=FLAG,
                description=WORDS,
                schema=ref("schema"),
                style={"const": "deepObject"},
                explode=FLAG,
            ),
            "if": {"properties": {"in": {"const": "path"}}},
            "then": {
                "required": ["required"],
                "properties": {"required": {"const": True}},
            },
        },
        "body": closed(
            "content", description=WORDS, required=FLAG, content=ref("content")
        ),
        "response": closed("description", description=WORDS, content=ref("content")),
        "content": {
            "type": "object",
            "propertyNames": {"pattern": r"^([a-z]+/[a-z0-9.+-]+|\*/\*)$"},
            "additionalProperties": closed("", schema=ref("schema")),
        },
        "security": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": {"type": "array", "items": WORDS},
            },
        },
        "schema": {"type": ["object", "boolean"]},
        "scheme": {
            "oneOf": [
                closed(
                    "type scheme",
                    type={"const": "http"},
                    scheme=WORDS,
                    description=WORDS,
                ),
                closed(
                    "type in name",
                    type={"const": "apiKey"},
                    **{"in": {"enum": ["query", "header", "cookie"]}},
                    name=WORDS,
                    description=WORDS,
                ),
            ]
        },
    },
}
