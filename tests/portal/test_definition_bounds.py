"""Definitions that ask for more than a page: bounded work, and the page says so."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.portal.definitions import asyncapi, definition_of
from services.portal.definitions.languages import without_text
from services.portal.definitions.model import Definition
from services.portal.definitions.page_limits import (
    MOST_CHARACTERS,
    MOST_ENTRIES,
    MOST_ROWS,
)
from tests.costs import limit_processor_time, slowness
from tests.portal.conftest import Client
from tests.portal.fakes import FakeApi

#: Of the processor; the clock says little on a busy machine.
SECONDS = 8.0


def schemas(named: dict[str, Any], paths: Any = None, **more: Any) -> str:
    components = {"schemas": named, **more}
    return json.dumps(
        {"openapi": "3.1.0", "paths": paths or {}, "components": components}
    )


def ref(name: str, kind: str = "schemas") -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


def chain(key: str, width: int, length: int, named: str = "s") -> dict[str, Any]:
    """Schemas that each hold the next one several times: width ** length fields."""
    schema_map = {
        f"{named}{n}": {key: [ref(f"{named}{n + 1}")] * width} for n in range(length)
    }
    return {**schema_map, f"{named}{length}": {"properties": {"x": {"type": "string"}}}}


def fields_of_fields(width: int, length: int) -> dict[str, Any]:
    """Unnamed objects inside each other, by parameters that share one schema."""
    inner: dict[str, Any] = {"type": "string"}
    for _ in range(length):
        inner = {"type": "object", "properties": {f"f{n}": inner for n in range(width)}}
    return inner


def doubled(levels: int) -> str:
    anchors = "".join(
        f"x-{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(levels)
    )
    content = f"{{application/json: {{example: *a{levels}}}}}"
    return (
        f"openapi: 3.0.0\nx-0: &a0 [y, y, y, y, y, y, y, y]\n{anchors}paths: {{/x: "
        f"{{get: {{responses: {{'200': {{description: d, content: {content}}}}}}}}}}}\n"
    )


HEADER = {"schema": ref("s0")}
SHARED = {
    "get": {
        "parameters": [{"name": f"p{n}", "in": "query"} for n in range(100)],
        "responses": {str(n): {"description": "d" * 400} for n in range(40)},
    }
}
BOMBS = {
    "allOf": schemas(chain("allOf", 2, 45)),
    "oneOf": schemas(chain("oneOf", 12, 12)),
    "anyOf": schemas(chain("anyOf", 3, 30)),
    "circle": schemas(
        {"a": {"allOf": [ref("b"), ref("b")]}, "b": {"allOf": [ref("a")] * 9}}
    ),
    "itself": schemas({"a": ref("a"), "b": {"allOf": [ref("b")] * 50}}),
    "items": schemas(
        {f"s{n}": {"type": "array", "items": ref(f"s{n + 1}")} for n in range(500)}
    ),
    "fields": schemas({"a": fields_of_fields(9, 5)}),
    "many schemas": schemas(
        {f"s{n}": chain("allOf", 2, 20, "d")["d0"] for n in range(900)}
        | chain("allOf", 2, 20, "d")
    ),
    "shared path": schemas(
        {},
        {f"/{n}": ref("p", "pathItems") for n in range(2_500)},
        pathItems={"p": SHARED},
    ),
    "enum": schemas({"a": {"enum": [f"{'v' * 5_000}{n}" for n in range(300)]}}),
    "long words": schemas({"a" * 100_000: {"description": "d " * 900_000}}),
    "operations": json.dumps(
        {
            "openapi": "3.0.0",
            "paths": {f"/{n}": {"get": {"summary": "s" * 90}} for n in range(20_000)},
        }
    ),
    "example": json.dumps(
        {
            "openapi": "3.0.0",
            "paths": {
                "/a": {
                    "get": {
                        "responses": {
                            "200": {"content": {"a": {"example": [[1] * 9] * 200_000}}}
                        }
                    }
                }
            },
        }
    ),
    "aliases": doubled(4),
    "more aliases": doubled(8),
    "headers": schemas(
        chain("allOf", 2, 30),
        {f"/{n}": ref("p", "pathItems") for n in range(900)},
        pathItems={
            "p": {
                "get": {
                    "responses": {
                        status: {"headers": dict.fromkeys(map(str, range(900)), HEADER)}
                        for status in "23456789"
                    }
                }
            }
        },
    ),
    "items of items": schemas(
        {
            "a": {
                "type": "array",
                "items": {"allOf": [ref("a")] * 9, "type": "array", "items": ref("a")},
            }
        }
    ),
    "scopes": schemas(
        {},
        securitySchemes={f"s{n}": ref("s", "x") for n in range(900)},
        x={
            "s": {
                "flows": {
                    f"f{n}": {"scopes": {f"p{m}": "" for m in range(900)}}
                    for n in range(90)
                }
            }
        },
    ),
    "callbacks": json.dumps(
        {
            "openapi": "3.0.0",
            "paths": {
                f"/{n}": {"post": {"callbacks": ref("c", "callbacks")}}
                for n in range(500)
            },
            "components": {
                "callbacks": {"c": {f"u{n}": {"post": {}} for n in range(900)}}
            },
        }
    ),
}
ASYNC = json.dumps(
    {
        "asyncapi": "3.0.0",
        "channels": {
            f"c{n}": {"messages": {f"m{m}": {"payload": ref("s0")} for m in range(40)}}
            for n in range(300)
        },
        "components": {"schemas": chain("allOf", 3, 25)},
    }
)
RECORD: dict[str, Any] = {"type": "record", "name": "R", "fields": []}
for _ in range(12):
    fields = [{"name": f"f{n}", "type": RECORD} for n in range(2)]
    RECORD = {"type": "record", "name": "R", "fields": fields}
ADDRESSES = json.dumps(
    {
        "asyncapi": "3.0.0",
        "channels": {
            str(n): {"parameters": {str(m): {"enum": ["a"]} for m in range(40)}}
            for n in range(2_000)
        },
    }
)
AVRO = json.dumps(
    {
        "asyncapi": "2.6.0",
        "channels": {
            f"c{n}": {"publish": {"message": ref("m", "messages")}} for n in range(300)
        },
        "components": {
            "messages": {
                "m": {"schemaFormat": "application/vnd.apache.avro", "payload": RECORD}
            }
        },
    }
)
GRAPHQL = {
    "many types": "".join(f"type T{n} {{ a: Int b: Int }}\n" for n in range(40_000)),
    "open blocks": '"""' + '\\"""' * 100_000,
    "brackets": f"type A {{ a: {'[' * 5_000}",
    "huge type": "type A {" + "".join(f"f{n}: Int\n" for n in range(60_000)) + "}",
}
PROTO = {
    "nested": "message A {" * 3_000,
    "many": "".join(f"message M{n} {{ int32 a = 1; }}\n" for n in range(40_000)),
    "comments": "/*" * 500_000,
    "options": f"message A {{ {'int32 a = 1 [' * 20_000}",
}
CASES = (
    *((f"openapi: {name}", "openapi", text) for name, text in BOMBS.items()),
    ("asyncapi", "asyncapi", ASYNC),
    ("asyncapi: avro", "asyncapi", AVRO),
    ("asyncapi: parameters", "asyncapi", ADDRESSES),
    *((f"graphql: {name}", "graphql", text) for name, text in GRAPHQL.items()),
    *((f"grpc: {name}", "grpc", text) for name, text in PROTO.items()),
)


def size_of(definition: Definition) -> tuple[int, int, int]:
    """Entries, rows and characters of what a page shows."""
    entries = [entry for group in definition.groups for entry in group.entries]
    parts = [part for entry in entries for part in entry.parts]
    rows = [row for part in parts for row in part.rows]
    texts = [entry.name + entry.summary + entry.about for entry in entries]
    texts += [part.title + part.about + part.example for part in parts]
    texts += [row.name + row.type + row.about for row in rows]
    return len(entries), len(rows), sum(map(len, texts))


@pytest.mark.parametrize(
    ("kind", "text"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_definitions_are_limited_in_time_and_page_size(kind: str, text: str) -> None:
    """Time, entries, rows and characters; the raw text stays."""
    start = time.process_time()
    definition = definition_of(kind, text)
    assert time.process_time() - start < SECONDS * slowness()
    entries, rows, characters = size_of(definition)
    assert entries <= MOST_ENTRIES
    assert rows <= MOST_ROWS
    # Names of entries without details come on top.
    assert characters <= MOST_CHARACTERS + MOST_ENTRIES * 650
    assert definition.raw == text
    assert definition.groups or definition.problem


def test_entries_beyond_the_limits_are_counted_and_listed() -> None:
    """They stay in the list by their names."""
    definition = definition_of("openapi", BOMBS["shared path"])
    assert "are left out" in " ".join(definition.notes)
    assert "The first 2,000" in " ".join(definition.notes)
    assert definition.groups[0].entries[1_500].name == "/1500"
    table = definition_of("graphql", GRAPHQL["huge type"]).groups[0].entries[0]
    assert table.parts[0].rows[-1].about.startswith("More than is shown")
    cut = definition_of("graphql", GRAPHQL["many types"])
    assert "only its beginning" in cut.notes[0]


def test_an_exponential_schema_is_shown_in_part() -> None:
    """Other schemas beside it are shown completely."""
    named = {**chain("allOf", 2, 45), "plain": {"properties": {"a": {"type": "null"}}}}
    entries = {
        entry.name: entry
        for entry in definition_of("openapi", schemas(named)).groups[0].entries
    }
    assert entries["s0"].parts[0].rows[-1].name == "…"
    assert [row.name for row in entries["plain"].parts[0].rows] == ["a"]


KEYS = (
    *("get", "post", "parameters", "schema", "$ref", "allOf", "items", "properties"),
    *("content", "responses", "callbacks", "enum", "type", "/a", "200", "tags"),
    *("application/json", "example", "requestBody"),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner | st.just("#/paths/~1a") | st.just("#") | st.just("#/components/0"),
            max_size=5,
        )
    ),
    max_leaves=30,
)


@settings(max_examples=200, deadline=None)
@given(paths=VALUES, components=VALUES, webhooks=VALUES)
def test_any_document_makes_a_page(paths: Any, components: Any, webhooks: Any) -> None:
    """Whatever value is anywhere."""
    document = {
        "openapi": "3.1.0",
        "paths": {"/a": paths},
        "webhooks": webhooks,
        "components": {"schemas": components},
    }
    assert definition_of("openapi", json.dumps(document)).language == "OpenAPI 3.1.0"
    assert (
        definition_of(
            "asyncapi",
            json.dumps({**document, "asyncapi": "3.0.0", "channels": {"a": paths}}),
        ).problem
        == ""
    )


def test_a_page_names_operations_that_search_leaves_out() -> None:
    """Of very many operations; schemas are never searched."""
    note = "Search takes in the first 100,000 characters"

    def paths(count: int) -> dict[str, Any]:
        operation = {"get": {"summary": "Lists the " + "x" * 80}}
        return {f"/orders/{n:04}": operation for n in range(count)}

    few = definition_of(
        "openapi", schemas({"S" * 900 + str(n): {} for n in range(200)})
    )
    assert not any(note in text for text in few.notes)
    middle = definition_of("openapi", schemas({}, paths(1_000)))
    assert not any(note in text for text in middle.notes)
    long = {path: {"get": {"summary": path * 9}} for path in paths(1_500)}
    many = definition_of("openapi", schemas({}, long))
    assert sum(note in text for text in many.notes) == 1


async def test_descriptions_of_heavy_markdown_share_a_budget(
    client: Client, api: FakeApi
) -> None:
    """Beyond the budget the text is shown as it is written."""
    marks = "- a\n" * 1_500
    paths = {f"/p{n}": {"get": {"description": marks}} for n in range(140)}
    text = json.dumps({"openapi": "3.1.0", "paths": paths})
    definition = without_text("openapi", text)
    [group] = definition.groups
    are_rendered = [str(entry.html).startswith("<ul>") for entry in group.entries]
    assert 5 < sum(are_rendered) < 40
    assert are_rendered == sorted(are_rendered, reverse=True)
    api.entities["api:default/booking-api"]["spec"]["definition"] = text
    page = (await client().get("/catalog/default/api/booking-api/api")).text
    assert page.count("<li>a</li>\n<li>a</li>") > 1_000
    assert "<pre>- a\n- a" in page
    assert "&lt;ul&gt;" not in page


def test_a_schema_of_many_messages_is_read_once() -> None:
    """Twelve thousand messages with one payload share its rows."""
    message = {"$ref": "#/components/messages/a"}
    fields = {f"f{number}": {"$ref": "#/components/schemas/s"} for number in range(50)}
    document = {
        "asyncapi": "2.6.0",
        "channels": {
            f"c{number}": {"publish": {"message": {"oneOf": [message] * 40}}}
            for number in range(300)
        },
        "components": {
            "messages": {"a": {"payload": {"$ref": "#/components/schemas/s"}}},
            "schemas": {"s": {"type": "object", "properties": fields}},
        },
    }
    with limit_processor_time(2):
        definition = asyncapi.read(json.dumps(document))
    first, *_ = definition.groups[0].entries
    assert len(first.parts[0].rows) == 50
