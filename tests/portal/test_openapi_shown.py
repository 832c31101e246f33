"""OpenAPI 3.1 as its author wrote it: words, types, webhooks, callbacks, references."""

from services.portal.definitions import definition_of
from services.portal.definitions.model import (
    Definition,
    DefinitionEntry,
    DefinitionRow,
)


def entry(definition: Definition, name: str) -> DefinitionEntry:
    """The entry that is called so: `GET /a`, `Thing`."""
    return next(
        row
        for group in definition.groups
        for row in group.entries
        if f"{row.mark} {row.name}".strip() == name
    )


def fields(text: str, name: str = "Thing") -> dict[str, DefinitionRow]:
    """The rows of a schema, by field."""
    operation = entry(definition_of("openapi", text), name)
    return {row.name: row for row in operation.parts[0].rows}


def schema(properties: str, release: str = "3.1.0") -> str:
    """A document with one schema of these fields, in flow style."""
    return (
        f"openapi: {release}\ncomponents:\n  schemas:\n    Other: {{type: object, "
        "description: Of its own, properties: {a: {type: string}}}\n"
        f"    Thing: {{type: object, properties: {{{properties}}}}}\n"
    )


def test_yaml_1_2_words_are_shown_as_text() -> None:
    """Countries, switches and operators are not converted."""
    rows = fields(
        schema(
            "land: {enum: [FI, NO, DK]}, axis: {enum: [x, y, n]}, "
            "power: {enum: [on, off, yes]}, compare: {enum: [=, <, '>', '!=']}, "
            "day: {const: 2026-11-28}, time: {default: 12:30}, old: {default: 0777}"
        )
    )
    assert rows["land"].about == "One of FI, NO, DK"
    assert rows["axis"].about == "One of x, y, n"
    assert rows["power"].about == "One of on, off, yes"
    assert rows["compare"].about == "One of =, <, >, !="
    assert rows["day"].about == "Always 2026-11-28"
    assert rows["time"].about == "Default 12:30"


def test_types_and_constants_of_openapi_3_0_and_3_1_are_shown() -> None:
    """Lists of types, `nullable`, `const` and both meanings of `exclusiveMinimum`."""
    rows = fields(
        schema(
            "a: {type: [string, 'null'], format: date}, b: {type: [array, 'null'], "
            "items: {type: integer}}, c: {const: null}, d: {const: false}, "
            "e: {enum: [null, 1, '']}, f: {type: number, exclusiveMinimum: 5}, g: true"
        )
    )
    assert rows["a"].type == "string or null (date)"
    assert rows["b"].type == "array of integer or null"
    assert rows["c"].about == "Always null"
    assert rows["d"].about == "Always false"
    assert rows["e"].about == 'One of null, 1, ""'
    assert rows["f"].about == "> 5"
    assert rows["g"].type == "anything"
    older = fields(
        schema(
            "a: {type: string, nullable: true}, "
            "b: {type: integer, minimum: 0, exclusiveMinimum: true}",
            "3.0.3",
        )
    )
    assert older["a"].type == "string or null"
    assert older["b"].about == "> 0"


def test_fields_beside_a_reference_take_precedence() -> None:
    """Description and deprecation beside `$ref` are shown; the type stays linked."""
    rows = fields(
        schema(
            "a: {$ref: '#/components/schemas/Other'}, "
            "b: {$ref: '#/components/schemas/Other', description: Mine, "
            "deprecated: true}"
        )
    )
    assert (rows["a"].about, rows["a"].type) == ("Of its own", "Other")
    assert (rows["b"].about, rows["b"].type) == ("Mine", "Other")
    assert rows["b"].deprecated
    assert rows["b"].link == "schema-other"


WEBHOOKS = """
openapi: 3.1.0
info: {title: Seats, version: "1"}
webhooks:
  seatFreed:
    post:
      summary: A seat is free again
      requestBody:
        content:
          application/json:
            schema: {type: object, required: [seat], properties: {seat: {type: string}}}
      responses: {"204": {description: Taken note}}
  shared: {$ref: "#/components/pathItems/Shared"}
components:
  pathItems:
    Shared: {put: {summary: From the components}}
"""


def test_webhooks_are_listed() -> None:
    """A document of webhooks alone is shown with bodies and answers."""
    definition = definition_of("openapi", WEBHOOKS)
    assert [group.title for group in definition.groups] == ["Webhooks"]
    freed = entry(definition, "POST seatFreed")
    assert freed.summary == "A seat is free again"
    assert [part.title for part in freed.parts] == [
        "Body (optional): application/json",
        "204",
    ]
    assert freed.parts[0].rows[0].required
    assert entry(definition, "PUT shared").summary == "From the components"


CALLBACKS = """
openapi: 3.0.3
paths:
  /watch:
    parameters: [{name: page, in: query, schema: {type: integer}}]
    post:
      parameters: [{name: page, in: query, schema: {type: string}}]
      responses: {"201": {description: Watched}}
      callbacks:
        onSale:
          "{$request.body#/url}/sale":
            post:
              summary: Tickets are on sale
              requestBody:
                content: {application/json: {schema: {properties: {id: {}}}}}
        named: {$ref: "#/components/callbacks/Named"}
components:
  callbacks:
    Named: {"{$request.query.to}": {get: {description: Alive}}}
"""


def test_callbacks_are_shown_with_their_operation() -> None:
    """Each with its address, its text and its content, by reference or not."""
    watch = entry(definition_of("openapi", CALLBACKS), "POST /watch")
    parts = {part.title: part for part in watch.parts}
    sale = "Callback onSale: POST {$request.body#/url}/sale: application/json"
    assert parts[sale].about == "Tickets are on sale"
    assert [row.name for row in parts[sale].rows] == ["id"]
    assert parts["Callback named: GET {$request.query.to}"].about == "Alive"
    assert [row.type for row in parts["Parameters"].rows] == ["string · query"]


def test_unresolvable_references_are_named() -> None:
    """A path, a body and a field in another file, and a dangling one."""
    definition = definition_of(
        "openapi",
        "openapi: 3.1.0\npaths:\n  /a: {$ref: './paths/a.yaml'}\n"
        "  /b: {post: {requestBody: {$ref: 'bodies.yaml#/New'}}}\ncomponents:\n"
        "  schemas:\n    Thing: {properties: {x: {$ref: '#/components/schemas/No'}}}\n",
    )
    assert entry(definition, "/a").summary == "./paths/a.yaml is in another file."
    assert entry(definition, "POST /b").parts[0].about == (
        "bodies.yaml#/New is in another file."
    )
    [row] = entry(definition, "Thing").parts[0].rows
    assert row.type == "No"
    assert row.about == "#/components/schemas/No leads nowhere."
    assert "bodies.yaml#/New" in definition.notes[0]


def test_operations_of_one_name_have_different_anchors() -> None:
    """An anchor leads to one entry, whatever the document calls it."""
    definition = definition_of(
        "openapi",
        "openapi: 3.0.0\npaths: {/a: {get: {operationId: x}, put: {operationId: x}}}\n",
    )
    ids = [row.id for group in definition.groups for row in group.entries]
    assert ids == ["operation-x", "operation-x--2"]
