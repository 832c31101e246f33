"""What stands beside a `$ref` counts as the specification of its document says."""

from collections.abc import Iterator

import pytest

from services.portal.definitions import definition_of
from services.portal.definitions.model import Definition

#: Each text is named after the object beside whose reference it stands.
OPENAPI = """
info: {title: t}
paths:
  /item: {$ref: "#/components/pathItems/I", summary: beside-item}
  /a:
    get:
      parameters:
        - {$ref: "#/components/parameters/P", description: beside-parameter}
        - {name: q, in: query, description: d, schema:
            {$ref: "#/components/schemas/O", description: beside-schema-of-parameter,
             properties: {beside-field-of-parameter: {}}}}
      requestBody: {$ref: "#/components/requestBodies/B", description: beside-body}
      responses:
        "200":
          description: d
          headers:
            H: {$ref: "#/components/headers/H", description: beside-header}
          content:
            a/whole:
              schema: {$ref: "#/components/schemas/O", description: beside-schema,
                title: beside-title, maxProperties: 71, required: [p],
                properties: {beside-field: {}, p: {description: beside-p, const: 72}}}
              examples:
                e: {$ref: "#/components/examples/E", summary: beside-summary}
                f: {$ref: "#/components/examples/E", description: beside-text}
            a/other:
              schema: {$ref: "#/components/schemas/O", example: {a: beside-example}}
            a/list:
              schema: {type: array, items: {$ref: "#/components/schemas/O",
                title: beside-title-of-items, description: beside-items}}
        "400": {$ref: "#/components/responses/R", description: beside-response}
components:
  pathItems: {I: {get: {responses: {}}}}
  parameters: {P: {name: p, in: query, description: target, schema: {}}}
  requestBodies: {B: {description: target, content: {a/b: {schema: {}}}}}
  headers: {H: {description: target, schema: {}}}
  responses: {R: {description: target}}
  examples: {E: {summary: target-summary, description: target-text, value: 1}}
  securitySchemes:
    s: {$ref: "#/components/securitySchemes/S", description: beside-scheme}
    S: {type: http, scheme: basic}
  schemas:
    O:
      type: object
      required: [o]
      properties:
        p: {type: string, pattern: of-target}
        o: {$ref: "#/components/schemas/O", description: beside-own-field,
          properties: {beside-field-of-field: {}}}
        x: {$ref: "other.yaml", description: beside-absent}
        c: {oneOf: [{type: string}, {$ref: "#/components/schemas/O",
          description: beside-choice, properties: {beside-field-of-choice: {}}}]}
        t: {$ref: "#/components/schemas/O", oneOf: [{type: boolean}, {type: integer}]}
    Alias: {$ref: "#/components/schemas/O", description: beside-alias}
    Parts: {allOf: [{$ref: "#/components/schemas/O", description: beside-part}]}
"""
OF_OBJECTS = ("parameter", "body", "header", "summary", "text", "response", "scheme")
OF_SCHEMAS = (
    *("schema", "title", "example", "field", "p", "items", "title-of-items"),
    *("schema-of-parameter", "field-of-parameter", "own-field", "field-of-field"),
    *("absent", "choice", "field-of-choice", "alias", "part"),
)
ASYNCAPI = """
info: {title: t}
channels:
  c:
    parameters: {p: {$ref: "#/components/parameters/P", description: beside-parameter}}
    messages: {m: {$ref: "#/components/messages/M", summary: beside-message}}
components:
  parameters: {P: {description: target-parameter}}
  messages: {M: {summary: target-message,
    payload: {$ref: "#/components/schemas/S", description: beside-schema}}}
  schemas: {S: {type: object, description: target-schema, properties: {a: {}}}}
"""


def texts(definition: Definition) -> Iterator[str]:
    """All that a page shows of the entries."""
    for group in definition.groups:
        for entry in group.entries:
            yield f"{entry.name} {entry.summary} {entry.about} {entry.facts}"
            for part in entry.parts:
                yield f"{part.title} {part.about} {part.example}"
                for row in part.rows:
                    yield f"{row.name} {row.type} {row.about}"


def words_of(definition: Definition) -> set[str]:
    return set(" ".join(texts(definition)).replace('"', " ").replace("'", " ").split())


@pytest.mark.parametrize("release", ["3.1.0", "3.2.0"])
def test_what_stands_beside_a_reference_is_shown(release: str) -> None:
    """Schemas have all their keywords, other objects `summary` and `description`."""
    definition = definition_of("openapi", f"openapi: {release}{OPENAPI}")
    words = words_of(definition)
    expected = {f"beside-{name}" for name in (*OF_OBJECTS, *OF_SCHEMAS, "item")}
    assert not expected - words
    assert {"71", "72", "of-target"} <= words
    text = " ".join(texts(definition))
    assert "other.yaml is in another file" in text
    assert "O and (boolean or integer)" in text
    assert not [note for note in definition.notes if "of references" in note]


def test_the_rules_beside_a_reference_are_added_to_those_behind_it() -> None:
    """A field that both have has the rules of both, and is required by either."""
    definition = definition_of("openapi", f"openapi: 3.1.0{OPENAPI}")
    [entry] = [entry for entry in definition.groups[0].entries if entry.name == "/a"]
    [part] = [part for part in entry.parts if part.title == "200: a/whole"]
    rows = {row.name: row for row in part.rows}
    assert rows["p"].required
    assert rows["o"].required
    assert rows["p"].about == "beside-p · Always 72 · matches of-target"


@pytest.mark.parametrize(
    ("kind", "text", "shown_words"),
    [
        ("openapi", f"openapi: 3.0.3{OPENAPI}", {"beside-item"}),
        ("openapi", f"swagger: '2.0'{OPENAPI}", {"beside-item"}),
        ("asyncapi", f"asyncapi: 3.0.0{ASYNCAPI}", set()),
        ("asyncapi", f"asyncapi: 2.6.0{ASYNCAPI}", set()),
    ],
)
def test_what_a_specification_ignores_beside_a_reference_is_named(
    kind: str, text: str, shown_words: set[str]
) -> None:
    """The page names what counts for nothing; a path item may have all its fields."""
    definition = definition_of(kind, text)
    words = words_of(definition)
    assert {word for word in words if word.startswith("beside-")} == shown_words
    assert any(word.startswith("target") for word in words)
    assert "`description` of references" in definition.notes[-1]


def test_a_channel_of_asyncapi_2_counts_what_stands_beside_its_reference() -> None:
    """In version 3 a channel's reference is as any other."""
    text = ": {c: {$ref: '#/components/channels/C', description: beside-channel}}\n"
    text += "components: {channels: {C: {publish: {message: {name: target-name}}}}}\n"
    old, new = (
        words_of(definition_of("asyncapi", f"asyncapi: {release}\nchannels{text}"))
        for release in ("2.6.0", "3.0.0")
    )
    assert "beside-channel" in old
    assert "beside-channel" not in new


def test_fields_inside_an_unnamed_part_are_shown() -> None:
    """A part of `allOf` without a name is none that is shown around its fields."""
    definition = definition_of(
        "openapi",
        "openapi: 3.0.0\ncomponents: {schemas: {A: {allOf: [{properties: {a: {type: "
        "object, properties: {inside: {}}}}}]}}}\n",
    )
    assert "inside" in words_of(definition)
