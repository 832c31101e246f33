"""Each field of a definition is shown, or the page says that it is not."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from services.portal.definitions import definition_of
from services.portal.definitions.model import Definition
from services.portal.definitions.unshown_fields import NAMES_SHOWN
from tests.portal.conftest import Client
from tests.portal.fakes import FakeApi

SWAGGER = """
swagger: "2.0"
info:
  title: mark-title
  contact: {name: mark-name, email: mark-email, url: mark-url}
  license: {name: mark-license}
  termsOfService: mark-terms
host: mark-host
schemes: [mark-scheme]
consumes: [mark-takes]
produces: [mark-gives]
externalDocs: {url: mark-docs, description: mark-about-docs}
tags: [{name: mark-tag, description: mark-about-tag, externalDocs: {url: mark-more}}]
securityDefinitions:
  mark-oauth:
    type: oauth2
    description: mark-sign-in
    flow: mark-flow
    tokenUrl: mark-token
    scopes: {mark-scope: mark-about-scope}
paths:
  /mark-path:
    get:
      operationId: mark-id
      tags: [mark-tag, mark-second]
      security: [{mark-oauth: [mark-needed]}]
      consumes: [mark-own-type]
      parameters:
        - {name: mark-list, in: query, type: array, collectionFormat: mark-multi,
           items: {type: string, enum: [mark-item], pattern: mark-pattern}}
      responses:
        200:
          description: mark-ok
          headers: {mark-header: {type: string, description: mark-about-header}}
          schema: {type: array, items: {type: string, enum: [mark-answer]}}
          examples: {mark-media: {a: mark-example}}
definitions:
  mark-schema:
    type: object
    example: {a: mark-own-example}
    properties:
      mark-field: {type: array, items: {type: string, enum: [mark-of-items]}}
"""
OPENAPI = """
openapi: 3.1.0
info: {title: mark-title, summary: mark-summary}
servers:
  - url: "https://{mark-variable}.x"
    description: mark-server. mark-rest
    variables: {mark-variable: {default: mark-default, enum: [mark-value]}}
security: [{mark-bearer: []}]
paths:
  /mark-path:
    summary: mark-of-path
    description: mark-about-path
    servers: [{url: mark-other-server}]
    post:
      operationId: mark-id
      externalDocs: {url: mark-docs}
      parameters:
        - {name: mark-deep, in: query, style: deepObject, schema:
            {type: object, properties: {mark-inside: {type: string}}}}
        - {name: mark-sort, in: query, schema: {type: array, items:
            {enum: [mark-choice], description: mark-of-item}}, example: mark-example}
        - {name: mark-two, in: query, schema: {$ref: "#/components/schemas/mark-enum"},
           examples: {mark-one: {value: mark-first}, mark-other: {value: mark-second}}}
        - {name: mark-json, in: query, content: {mark/media: {schema:
            {type: object, properties: {mark-in-json: {}}}}}}
      requestBody:
        content:
          mark/a: {schema: {description: mark-body, type: object, minProperties: 7,
                   properties: {a: {allOf: [{enum: [mark-joined]}]}}}}
          mark/b: {examples: {mark-x: {value: mark-left}, mark-y: {value: mark-right}}}
      responses:
        200:
          headers: {mark-rate: {description: mark-about-rate, example: mark-limit}}
          content: {mark/c: {schema: {type: array, items: {type: array, items:
            {properties: {mark-cell: {default: [mark-listed]}}}}}}}
components:
  securitySchemes:
    mark-bearer: {type: http, scheme: mark-http, bearerFormat: mark-format}
    mark-oauth: {type: oauth2, flows: {mark-flow: {tokenUrl: mark-token,
                 scopes: {mark-scope: mark-about-scope}}}}
  schemas:
    mark-enum: {type: string, enum: [mark-word]}
    mark-schema:
      properties:
        a: {prefixItems: [{const: mark-place}]}
        b: {patternProperties: {mark-pattern: {const: mark-matched}}}
        c: {oneOf: [{type: string, pattern: mark-either}, {type: integer}]}
        d: {title: mark-titled, examples: [mark-shown]}
      discriminator: {propertyName: mark-kind, mapping: {mark-case: x}}
"""
ASYNCAPI_2 = """
asyncapi: 2.6.0
info: {title: A, contact: {email: mark-email}}
servers: {p: {url: mark-host, protocol: mark-protocol, description: mark-server,
  variables: {mark-variable: {enum: [mark-value]}}}}
channels:
  mark-channel:
    parameters: {mark-parameter: {description: mark-of-it, location: mark-location}}
    subscribe:
      operationId: mark-id
      summary: mark-summary
      description: mark-description
      message:
        contentType: mark-type
        headers: {type: object, properties: {mark-header: {const: mark-constant}}}
        examples: [{headers: {h: mark-example-header}, payload: mark-example}]
        schemaFormat: application/vnd.apache.avro;version=1.9.0
        payload:
          type: record
          name: mark-record
          fields:
            - {name: mark-field, doc: mark-doc, default: mark-default, type: [null,
               {type: array, items: {type: record, name: mark-inner, fields:
                 [{name: mark-deep, type: {type: enum, symbols: [mark-symbol]}}]}}]}
  other: {publish: {message: {schemaFormat: application/raml+yaml,
    payload: {a: mark-raml}}}}
"""
ASYNCAPI_3 = """
asyncapi: 3.0.0
channels:
  asks: {address: mark-asks, messages: {M: {$ref: "#/components/messages/M"}}}
  answers: {address: mark-answers}
operations:
  mark-operation:
    action: send
    channel: {$ref: "#/channels/asks"}
    messages: [{$ref: "#/channels/asks/messages/mark-message"}]
    reply:
      channel: {$ref: "#/channels/answers"}
      address: {location: mark-location, description: mark-place}
components:
  messages: {M: {payload: {$ref: "#/components/schemas/S"}}}
  schemas: {S: {schemaFormat: application/vnd.apache.avro, schema: {type: record,
    name: S, fields: [{name: mark-field, type: string}]}}}
"""


def texts_of(definition: Definition) -> Iterator[str]:
    """All that a page shows of a definition but its raw text."""
    yield definition.title
    yield str(definition.facts)
    for group in definition.groups:
        yield f"{group.title} {group.about}"
        for entry in group.entries:
            yield f"{entry.name} {entry.summary} {entry.about} {entry.facts}"
            for part in entry.parts:
                yield f"{part.title} {part.about} {part.example} {part.raw}"
                for row in part.rows:
                    yield f"{row.name} {row.type} {row.about}"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("openapi", SWAGGER),
        ("openapi", OPENAPI),
        ("asyncapi", ASYNCAPI_2),
        ("asyncapi", ASYNCAPI_3),
    ],
    ids=["swagger 2", "openapi 3", "asyncapi 2", "asyncapi 3"],
)
def test_each_text_of_a_definition_is_shown(kind: str, text: str) -> None:
    """No text is lost, wherever it is, and no note says that one is."""
    definition = definition_of(kind, text)
    page = " ".join(texts_of(definition)).lower()
    marks = set(re.findall(r"mark[-/][a-z-]+", text.lower()))
    assert sorted(mark for mark in marks if mark not in page) == []
    assert list(definition.notes) == []


def places(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a document that the format has rules for."""
    if isinstance(node, dict):
        yield path, node
        for key, value in node.items():
            yield from places(value, f"{path}/{key}")
    elif isinstance(node, list):
        for value in node:
            yield from places(value, f"{path}/0")


DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "A"},
    "servers": [{"url": "u", "variables": {"v": {"default": "x"}}}],
    "tags": [{"name": "t"}],
    "paths": {
        "/a": {
            "get": {
                "parameters": [
                    {"name": "p", "in": "query", "schema": {"type": "null"}}
                ],
                "requestBody": {
                    "content": {"a/b": {"schema": {"items": {"type": "x"}}}}
                },
                "responses": {
                    "200": {"headers": {"h": {"schema": {"type": "string"}}}}
                },
            }
        }
    },
    "components": {
        "securitySchemes": {"s": {"type": "http"}},
        "schemas": {
            "A": {
                "properties": {"p": {"type": "object"}, "q": {"items": {"type": "x"}}},
                "allOf": [{"title": "c"}],
                "oneOf": [{"title": "d"}],
            }
        },
    },
}
#: Objects whose keys are names that the author chooses.
MAPS = (
    *("variables", "paths", "content", "responses", "headers", "properties"),
    *("components", "securitySchemes", "schemas"),
)
PLACES = [path for path, _ in places(DOCUMENT) if path.split("/")[-1] not in MAPS]


@pytest.mark.parametrize("path", PLACES)
def test_a_field_that_is_not_shown_is_named(path: str) -> None:
    """In each object of a definition; an extension is not."""
    document = json.loads(json.dumps(DOCUMENT))
    for place, node in places(document):
        if place == path:
            node["x-extension"] = 1
    assert definition_of("openapi", json.dumps(document)).notes == []
    for place, node in places(document):
        if place == path:
            node["novelty"] = {"a": 1}
    [note] = definition_of("openapi", json.dumps(document)).notes
    assert re.fullmatch(
        r"Not shown: `novelty` of [a-z` ]+\. The raw text has everything\.", note
    )


async def test_the_page_says_what_it_does_not_show(
    client: Client, api: FakeApi
) -> None:
    """Conditions of a schema have a row, and the notice names them; few are listed."""
    fields = {f"new{n}": n for n in range(20)}
    condition = {"if": {}, "then": {}}
    schema = {"properties": {"a": condition}, **fields}
    schemas = {"A": schema, "B": condition}
    document = {"openapi": "3.1.0", "components": {"schemas": schemas}}
    api.entities["api:default/booking-api"]["spec"]["definition"] = json.dumps(document)
    page = (await client().get("/catalog/default/api/booking-api/api")).text
    assert "Not everything is shown or searched" in page
    assert f"and {22 - NAMES_SHOWN} more. The raw text has everything." in page
    assert page.count("See the raw text.") == 2
    assert page.count("<code>new") == NAMES_SHOWN


async def test_a_page_shows_facts_and_raw_schemas(client: Client, api: FakeApi) -> None:
    """The id of an operation, and a message in a language without rows."""
    entity = api.entities["api:default/booking-api"]
    entity["spec"]["definition"] = OPENAPI
    page = (await client().get("/catalog/default/api/booking-api/api")).text
    assert "<dt>Operation ID</dt><dd><code>mark-id</code></dd>" in page
    entity["spec"] |= {"type": "asyncapi", "definition": ASYNCAPI_2}
    page = (await client().get("/catalog/default/api/booking-api/api")).text
    assert "this schema format is shown as it is written" in page
    assert "<summary>Schema as it is written</summary>" in page


def test_deep_and_long_things_end_with_a_row_that_says_so() -> None:
    """Nothing ends in silence: fields too deep, parameters and parts too many."""
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(12):
        schema = {"properties": {"a": schema}}
    operation = {
        "parameters": [{"name": f"p{n}", "in": "query"} for n in range(120)],
        "responses": {str(n): {"description": "d"} for n in range(60)},
    }
    definition = definition_of(
        "openapi",
        json.dumps(
            {
                "openapi": "3.0.0",
                "paths": {"/a": {"get": operation}},
                "components": {"schemas": {"A": schema}},
            }
        ),
    )
    [get], [deep] = (group.entries for group in definition.groups)
    assert get.parts[-1].about == "More than is shown here; see the raw text."
    assert deep.parts[0].rows[-1].name == "…"
    assert "parameters after the first 100" in definition.notes[0]
