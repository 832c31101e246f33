"""API definitions: four languages, and texts that are none of them."""

from pathlib import Path

import pytest

from services.portal.definitions import definition_of
from services.portal.definitions.model import Definition, DefinitionEntry

EXAMPLE = Path(__file__).parents[2] / "deploy/examples/playhouse/repositories"


def example(kind: str, path: str) -> Definition:
    return definition_of(kind, (EXAMPLE / path).read_text("utf-8"))


def entries(definition: Definition) -> dict[str, DefinitionEntry]:
    return {
        f"{entry.mark} {entry.name}".strip(): entry
        for group in definition.groups
        for entry in group.entries
    }


def test_openapi_operations_are_grouped_by_tag() -> None:
    """With parameters, body and responses."""
    definition = example("openapi", "payments/openapi.yaml")
    assert [group.title for group in definition.groups] == [
        "Payments",
        "Refunds",
        "Schemas",
    ]
    assert (definition.title, definition.version) == ("Payments API", "2.3.0")
    post = entries(definition)["POST /payments"]
    titles = [part.title for part in post.parts]
    assert titles[:3] == [
        "Parameters",
        "Body: application/json",
        "201: application/json",
    ]
    body = {row.name: row for row in post.parts[1].rows}
    assert body["amount"].required
    assert body["amount"].type == "integer"
    assert "≥ 1" in body["amount"].about
    assert '"cardToken": "tok_1f7c02"' in post.parts[1].example


def test_asyncapi_messages_are_grouped_by_channel() -> None:
    """Channels name senders, receivers and messages."""
    by_name = entries(example("asyncapi", "box-office/asyncapi.yaml"))
    assert "SEND booking.holds" in by_name
    assert "RECEIVE theatres.performances" in by_name
    messages = [part.title for part in by_name["SEND booking.bookings"].parts]
    assert messages == ["Booking made", "Booking cancelled"]


@pytest.mark.parametrize(
    ("kind", "text"),
    [("asyncapi", "asyncapi: 2.6.0\nchannels: hello\n"), ("openapi", "openapi: 3.1.0")],
)
def test_an_empty_definition_says_so(kind: str, text: str) -> None:
    """An empty page would look like a failed one."""
    definition = definition_of(kind, text)
    assert not definition.problem
    assert "No operation, channel, type or schema" in " ".join(definition.notes)
    assert definition_of("graphql", "type Query { a: Int }").notes == []


def test_asyncapi_2_is_read_with_inverted_directions() -> None:
    """In version 2 `publish` is what others may do: the owner receives."""
    text = (
        "asyncapi: 2.6.0\nchannels:\n  a/b:\n    publish:\n      message:\n"
        "        payload: {type: object, properties: {id: {type: string}}}\n"
    )
    channel = entries(definition_of("asyncapi", text))["RECEIVE a/b"]
    assert [row.name for row in channel.parts[0].rows] == ["id"]


def test_graphql_is_grouped_by_root_and_type() -> None:
    """Calls with arguments, types with fields that lead to their types."""
    definition = example("graphql", "website/schema.graphql")
    titles = [group.title for group in definition.groups]
    assert titles[:4] == ["Queries", "Mutations", "Subscriptions", "Types"]
    all_of_them = entries(definition)
    assert all_of_them["shows"].gives == "ShowConnection!"
    assert all_of_them["cancel"].deprecated
    assert "Use exchange" in all_of_them["cancel"].about
    fields = {row.name: row for row in all_of_them["type Performance"].parts[0].rows}
    assert fields["show"].link == "type-show"


@pytest.mark.parametrize(
    ("schema", "titles"),
    [
        ('extend schema @link(url: "x", import: ["@key"])\n', ["Queries", "Types"]),
        ("extend schema @a { mutation: User }\n", ["Queries", "Mutations"]),
        ("schema { query: User }\n", ["Queries", "Types"]),
    ],
)
def test_a_graphql_schema_may_be_extended(schema: str, titles: list[str]) -> None:
    """Also by directives alone, as subgraphs of a federation are."""
    types = 'type Query { me: User }\ntype User @key(fields: "id") { id: ID! }\n'
    definition = definition_of("graphql", schema + types)
    assert [group.title for group in definition.groups] == titles


def test_grpc_calls_are_grouped_by_service() -> None:
    """Calls show what streams; comments before and behind become texts."""
    definition = example("grpc", "seating/proto/seat_map.proto")
    all_of_them = entries(definition)
    assert "server stream WatchMaps" in all_of_them
    assert "both ways ProposePrices" in all_of_them
    views = {row.name: row for row in all_of_them["View"].parts[0].rows}
    assert views["VIEW_NONE"].about == "for listening, and cheap"
    changed = {row.name: row for row in all_of_them["MapChanged"].parts[0].rows}
    assert changed["views"].type == "map<string, View>"
    assert "one of why" in changed["repair"].about


def test_groups_of_proto2_are_messages_with_a_field() -> None:
    """In messages, in a choice, and with options and groups of their own."""
    text = """
        syntax = "proto2";
        message M {
          // All rows.
          repeated group Row = 2 [deprecated = true] {
            optional int32 z = 3;
            required group Cell = 4 { optional string a = 1; }
          }
          oneof pick { group Other = 5 { optional N n = 1; } }
        }
        message N { optional string a = 1; }
    """
    all_of_them = entries(definition_of("grpc", text))
    assert {"M", "N", "Row", "Cell", "Other"} <= all_of_them.keys()
    rows = {row.name: row for row in all_of_them["M"].parts[0].rows}
    assert rows["row"].type == "repeated Row"
    assert rows["row"].link == all_of_them["Row"].id
    assert rows["row"].about == "All rows. · no. 2"
    assert rows["row"].deprecated
    assert "one of pick" in rows["other"].about
    cells = {row.name: row for row in all_of_them["Row"].parts[0].rows}
    assert cells.keys() == {"z", "cell"}
    assert cells["cell"].required


def test_recursive_schemas_are_shown_once() -> None:
    """A tree of trees is shown once, with a link to itself."""
    text = """
openapi: 3.1.0
components:
  schemas:
    Tree:
      type: object
      properties:
        children: {type: array, items: {$ref: "#/components/schemas/Tree"}}
"""
    tree = entries(definition_of("openapi", text))["Tree"]
    assert [(row.name, row.link) for row in tree.parts[0].rows] == [
        ("children", "schema-tree")
    ]


def test_external_references_are_not_followed() -> None:
    """A file or an address in `$ref` is not read, and is named in its place."""
    text = (
        "openapi: 3.0.0\npaths: {/a: {get: {parameters: [{$ref: 'file:///etc/passwd'}],"
        " responses: {'200': {$ref: 'https://elsewhere.example/x'}}}}}\n"
    )
    definition = definition_of("openapi", text)
    [parameters, answer] = entries(definition)["GET /a"].parts
    assert parameters.rows[0].about == "file:///etc/passwd is in another file."
    assert answer.about == "https://elsewhere.example/x is in another file."
    [note] = definition.notes
    assert "`file:///etc/passwd`, `https://elsewhere.example/x`" in note
    assert "`$openapi`" in note


LAUGHS = "".join(f"b{n + 1}: &b{n + 1} [*b{n}, *b{n}]\n" for n in range(40))
BILLION = f"openapi: 3.0.0\nb0: &b0 [x, x]\n{LAUGHS}"
LONG = "x: 1\n" * 1_100_000
ODD = """
openapi: 3.0.0
paths:
  /a:
    get: {tags: [[1]], parameters: [null, {schema: {type: {}, properties: []}}]}
    post: 5
    put: {parameters: {x: y}, requestBody: [], responses: [1]}
"""
FLAT = "openapi: 3.0.0\npaths: [a, b]\ncomponents: 7\ntags: {x: y}\ninfo: []\n"


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        ("openapi", "a: [", "line 2"),
        ("openapi", "- just\n- a list\n", "no object"),
        ("openapi", "title: nothing\n", "`openapi`"),
        ("asyncapi", "title: nothing\n", "`asyncapi`"),
        ("graphql", "type Query { a: ", "ends in the middle"),
        ("graphql", "type Query { a ~ }", "means nothing"),
        ("graphql", "hello world", "expected"),
        ("grpc", 'syntax = "proto3";', "no service"),
        ("grpc", "service A { rpc B(", "ends in the middle"),
        ("openapi", "", "empty"),
        ("openapi", LONG, "longer than 5 MB"),
        ("openapi", "{" * 100_000, "nested deeper than 150"),
        ("openapi", "[" * 100_000, "nested deeper than 150"),
        ("openapi", "- " * 100_000, "nested deeper than 150"),
        ("openapi", BILLION, "too many aliases"),
    ],
)
def test_an_unreadable_definition_says_why(kind: str, text: str, says: str) -> None:
    """The problem has the place or the rule; the raw text stays."""
    definition = definition_of(kind, text)
    assert says in definition.problem
    assert definition.raw == text
    assert not definition.groups


@pytest.mark.parametrize("text", [ODD, FLAT])
def test_malformed_documents_never_break_the_page(text: str) -> None:
    """Values of a wrong type are left out."""
    assert definition_of("openapi", text).language == "OpenAPI 3.0.0"


def test_an_unknown_definition_language_shows_its_text() -> None:
    """No problem, no groups: the raw text is all there is."""
    definition = definition_of("trpc", "whatever")
    assert (definition.problem, definition.groups, definition.raw) == (
        "",
        (),
        "whatever",
    )
