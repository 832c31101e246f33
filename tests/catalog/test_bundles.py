"""`$openapi` and `$asyncapi`: a definition of several files becomes one."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.catalog.handlers.including import MOST_FILES
from services.catalog.handlers.parsing import compute
from services.catalog.ingest.bundling import (
    bundle_files,
    bundle_of,
    outer_files,
    targets_in,
)
from shared.contracts.errors import Invalid, TooLarge
from shared.guards.yaml_text import load_yaml
from tests import builders
from tests.catalog.running import Host, Running, running, write
from tests.costs import limit_processor_time

ROOT = """
openapi: 3.0.3
info: {title: Tickets, version: 1.0.0}
paths:
  /tickets: {$ref: './paths/tickets.yaml'}
  /seats:
    get:
      parameters: [{$ref: 'shared/common.yml#/components/parameters/Page'}]
      responses:
        '200':
          description: All
          content:
            application/json:
              schema:
                type: array
                items: {$ref: 'shared/common.yml#/components/schemas/Seat'}
        '404': {$ref: '#/components/responses/Missing'}
components:
  responses: {Missing: {description: None of that name}}
  schemas: {Seat: {type: string, description: Its own}}
"""
TICKETS = """
get:
  responses:
    '200':
      description: One
      content:
        application/json:
          schema: {$ref: '../shared/common.yml#/components/schemas/Ticket'}
    '404': {$ref: '../api.yaml#/components/responses/Missing'}
"""
COMMON = """
components:
  parameters: {Page: {name: page, in: query, schema: {type: integer}}}
  schemas:
    Ticket:
      type: object
      properties:
        seat: {$ref: '#/components/schemas/Seat'}
        next: {$ref: '#/components/schemas/Ticket'}
        buyer: {$ref: 'people.json#/Person~1One', description: Who pays}
        kind: {oneOf: [{$ref: people.json#/Adult}], discriminator:
          {propertyName: k, mapping: {adult: 'people.json#/Adult', x: Plain}}}
      example: {$ref: 'is data'}
    Seat: {type: object, properties: {$ref: {type: string}, row: {type: integer}}}
"""
PEOPLE = """{"Person/One": {"type": "object", "properties":
  {"friend": {"$ref": "#/Person~1One"}, "home": {"$ref": "places/home.yaml"}}},
  "Adult": {"type": "string", "enum": ["yes", "no"]}}"""
FILES = {
    "api.yaml": ROOT,
    "paths/tickets.yaml": TICKETS,
    "shared/common.yml": COMMON,
    "shared/people.json": PEOPLE,
    "shared/places/home.yaml": "type: object\nproperties: {street: {type: string}}\n",
}


def lay(data: Path, files: dict[str, str], named: dict[str, str]) -> Path:
    """A descriptor of an API beside the files of its definition."""
    for name, text in files.items():
        write(data, name, text)
    kind = next(iter(named)).removeprefix("$").replace("text", "openapi")
    return write(data, "catalog-info.yaml", builders.api(type=kind, definition=named))


async def definition(catalog: Running, file: Path | str) -> Any:
    answer = await catalog.register(file)
    assert answer.status_code == 201, answer.text
    entity = await catalog.entity("api:default/orders")
    assert entity is not None
    return load_yaml(entity["spec"]["definition"], label="definition")


async def test_an_openapi_of_many_files_becomes_one_document(
    database: Any, data: Path
) -> None:
    """References lead inside; equal names stay apart; cycles are kept."""
    file = lay(data, FILES, {"$openapi": "./api.yaml"})
    async with running(database, data) as catalog:
        bundle = await definition(catalog, file)
    schemas = bundle["components"]["schemas"]
    get = bundle["paths"]["/seats"]["get"]
    assert get["parameters"] == [{"$ref": "#/components/parameters/Page"}]
    ok, missing = get["responses"]["200"], get["responses"]["404"]
    seats = ok["content"]["application/json"]["schema"]["items"]
    assert seats == {"$ref": "#/components/schemas/Seat_2"}
    assert missing == {"$ref": "#/components/responses/Missing"}
    assert schemas["Seat"]["description"] == "Its own"
    assert schemas["Seat_2"]["properties"]["row"] == {"type": "integer"}
    ticket = bundle["paths"]["/tickets"]["get"]["responses"]
    inside = ticket["200"]["content"]["application/json"]["schema"]
    assert inside == {"$ref": "#/components/schemas/Ticket"}
    assert ticket["404"] == {"$ref": "#/components/responses/Missing"}
    fields = schemas["Ticket"]["properties"]
    assert fields["seat"] == {"$ref": "#/components/schemas/Seat_2"}
    assert fields["next"] == {"$ref": "#/components/schemas/Ticket"}
    person = {"$ref": "#/components/schemas/Person-One", "description": "Who pays"}
    assert fields["buyer"] == person
    assert fields["kind"]["discriminator"]["mapping"] == {
        "adult": "#/components/schemas/Adult",
        "x": "Plain",
    }
    assert schemas["Ticket"]["example"] == {"$ref": "is data"}
    friend = schemas["Person-One"]["properties"]
    assert friend["friend"] == {"$ref": "#/components/schemas/Person-One"}
    assert friend["home"] == {"$ref": "#/components/schemas/home"}
    assert schemas["home"]["properties"]["street"] == {"type": "string"}
    assert schemas["Adult"]["enum"] == ["yes", "no"]


ASYNC = {
    "events.yaml": (
        "asyncapi: 3.0.0\ninfo: {title: E, version: '1'}\nchannels:\n  sold:\n"
        "    address: tickets.sold\n    messages: {sold: {$ref: 'm.yaml#/Sold'}}\n"
        "operations:\n  onSold:\n    action: receive\n"
        "    channel: {$ref: '#/channels/sold'}\n"
        "    messages: [{$ref: '#/channels/sold/messages/sold'}]\n"
        "  other: {$ref: ops.yaml}\n"
    ),
    "m.yaml": "Sold: {payload: {$ref: './p.yaml'}}\n",
    "p.yaml": "type: object\nproperties: {number: {type: integer}}\n",
    "ops.yaml": "action: send\nchannel: {$ref: '#/channels/sold'}\n",
}


async def test_asyncapi_3_keeps_its_channels(database: Any, data: Path) -> None:
    """References to channels stay, also where another file refers to the whole."""
    file = lay(data, ASYNC, {"$asyncapi": "events.yaml"})
    async with running(database, data) as catalog:
        bundle = await definition(catalog, file)
    message = bundle["channels"]["sold"]["messages"]["sold"]
    assert message == {"$ref": "#/components/messages/Sold"}
    operation = bundle["operations"]["onSold"]
    assert operation["channel"] == {"$ref": "#/channels/sold"}
    assert operation["messages"] == [{"$ref": "#/channels/sold/messages/sold"}]
    parts = bundle["components"]
    assert parts["messages"]["Sold"]["payload"] == {"$ref": "#/components/schemas/p"}
    assert parts["operations"]["ops"]["channel"] == {"$ref": "#/channels/sold"}


async def test_swagger_2_bundles_use_definitions(database: Any, data: Path) -> None:
    """Swagger 2 has no components."""
    text = (
        "swagger: '2.0'\npaths: {/a: {get: {responses: {'200': {description: d, "
        "schema: {$ref: 'd.yaml#/definitions/A'}}}}}}\n"
    )
    files = {"s.yaml": text, "d.yaml": "definitions: {A: {type: string}}\n"}
    file = lay(data, files, {"$openapi": "s.yaml"})
    async with running(database, data) as catalog:
        bundle = await definition(catalog, file)
    answer = bundle["paths"]["/a"]["get"]["responses"]["200"]
    assert answer["schema"] == {"$ref": "#/definitions/A"}
    assert bundle["definitions"] == {"A": {"type": "string"}}


async def test_a_push_of_any_file_changes_the_bundle(database: Any, data: Path) -> None:
    """A file three references away is watched like the descriptor itself."""
    host = Host(data)
    entity = builders.api(definition={"$openapi": "./api.yaml"})
    async with running(database, data, host.config()) as catalog:
        host.commit("tickets", {"catalog-info.yaml": entity, **FILES})
        bundle = await definition(catalog, host.url("tickets"))
        assert "street" in bundle["components"]["schemas"]["home"]["properties"]
        [root] = [
            root
            for root in catalog.work.catalog.state.roots.values()
            if root.location.target == host.url("tickets")
        ]
        [state] = root.files.values()
        assert {place.path for place in state.includes} == FILES.keys()
        home = "type: object\nproperties: {town: {type: string}}\n"
        host.commit("tickets", {"shared/places/home.yaml": home})
        await catalog.ask("POST", "/refresh", {"entityRef": "api:orders"})
        changed = await catalog.entity("api:default/orders")
    assert changed is not None
    assert "town" in changed["spec"]["definition"]


@pytest.mark.parametrize(
    ("files", "named", "says"),
    [
        ({}, {"$openapi": "no.yaml"}, "There is no file"),
        (
            {"a.yaml": "openapi: 3.0.0\nx: {$ref: 'gone.yaml#/A'}\n"},
            {"$openapi": "a.yaml"},
            "a.yaml refers to gone.yaml: There is no file",
        ),
        (
            {
                "a.yaml": "openapi: 3.0.0\nx: {$ref: 'b.yaml#/A'}\n",
                "b.yaml": "B: {}\n",
            },
            {"$openapi": "a.yaml"},
            "#/A: leads nowhere",
        ),
        ({"a.yaml": "info: {}\n"}, {"$openapi": "a.yaml"}, "no `openapi` or `swagger`"),
        ({"a.yaml": "a: [\n"}, {"$openapi": "a.yaml"}, "a.yaml: YAML error"),
        ({"a.yaml": "openapi: 3\n"}, {"$asyncapi": "a.yaml"}, "no `asyncapi`"),
        (
            {
                "a.yaml": "openapi: 3.0.0\npaths: {/a: {$ref: b.yaml}}\n",
                "b.yaml": "$ref: c.yaml\n",
                "c.yaml": "$ref: b.yaml\n",
            },
            {"$openapi": "a.yaml"},
            "leads to itself",
        ),
        ({}, {"$openApi": "a.yaml"}, "$openApi is no placeholder, $text, $json"),
    ],
)
async def test_a_bundle_error_names_entity_file_and_rule(
    database: Any, data: Path, files: Any, named: Any, says: str
) -> None:
    """An API that cannot be bundled has an error that leads to the cause."""
    file = lay(data, files, named)
    async with running(database, data) as catalog:
        answer = await catalog.register(file, "?dryRun=true")
    message = answer.json()["error"]["message"]
    assert answer.status_code == 400
    assert "api:default/orders: " in message
    assert says in message


async def test_a_reference_to_a_host_that_is_not_allowed_stays(
    database: Any, data: Path
) -> None:
    """The reference stays in the definition, and the API's page names it."""
    text = "openapi: 3.0.0\npaths: {/a: {$ref: 'https://no.example/p.yaml#/a'}}\n"
    file = lay(data, {"a.yaml": text}, {"$openapi": "a.yaml"})
    async with running(database, data) as catalog:
        bundle = await definition(catalog, file)
    assert bundle["paths"]["/a"] == {"$ref": "https://no.example/p.yaml#/a"}


async def test_the_files_of_one_descriptor_are_limited(
    database: Any, data: Path
) -> None:
    """Neither many files nor one large text a hundred times fills the memory."""
    files = {
        f"f{n}.yaml": f"openapi: 3.0.0\nx: {{$ref: f{n + 1}.yaml}}\n"
        for n in range(MOST_FILES + 5)
    }
    file = lay(data, files, {"$openapi": "f0.yaml"})
    (data / "big.txt").write_text("x" * 4_000_000)
    one_text = {f"x{n}": {"$text": "big.txt"} for n in range(300)}
    often = write(data, "often.yaml", builders.component("often", **one_text))
    for number in range(12):
        (data / f"n{number}.txt").write_text("x" * 4_000_000)
    texts = {f"x{n}": {"$text": f"n{n}.txt"} for n in range(12)}
    twelve_texts = write(data, "several.yaml", builders.component("several", **texts))
    async with running(database, data) as catalog:
        for target, problem in (
            (file, f"over {MOST_FILES} files"),
            (often, "component:default/often: spec.x0: 4,000,002 bytes"),
            (twelve_texts, "over 20,000,000 bytes"),
        ):
            answer = await catalog.register(target, "?dryRun=true")
            assert answer.status_code == 400
            assert problem in answer.json()["error"]["message"]


def test_repeated_references_in_a_bundle_are_limited() -> None:
    """The path of another file is not written out a thousand times."""
    paths = {f"/{n}": {"$ref": "p.yaml"} for n in range(3_000)}
    item = {"get": {"description": "x" * 3_000}}
    root = {"openapi": "3.0.0", "paths": paths}
    links = {("r.yaml", "p.yaml"): "p.yaml"}
    with pytest.raises(Invalid, match="too large"):
        bundle_files("$openapi", "r.yaml", {"r.yaml": root, "p.yaml": item}, links)


@pytest.mark.parametrize("kind", ["openapi", "swagger"])
def test_bundling_takes_time_linear_in_its_size(kind: str) -> None:
    """Names are counted once, not once for each of ten thousands of references."""
    own = {f"B{n}": {"items": {"$ref": f"p.yaml#/S{n}"}} for n in range(30_000)}
    own["S0"] = {"type": "integer"}
    schemas = {"definitions": own} if kind == "swagger" else {"schemas": own}
    root = {kind: "1", **(schemas if kind == "swagger" else {"components": schemas})}
    part = {f"S{n}": {"type": "string"} for n in range(30_000)}
    links = {("r.json", "p.yaml"): "p.yaml"}
    with limit_processor_time(8):
        text = bundle_files(
            "$openapi", "r.json", {"r.json": root, "p.yaml": part}, links
        )
    whole = json.loads(text)
    parts = (
        whole["definitions"] if kind == "swagger" else whole["components"]["schemas"]
    )
    assert len(parts) == 60_001
    assert parts["B0"]["items"]["$ref"].endswith("/S0_2")


def test_the_length_of_references_counts_toward_the_limit() -> None:
    """A long pointer that an alias repeats counts with its length each time."""
    pointer = "p.yaml#/" + "a" * 100_000
    part = {"a" * 100_000: {}}
    root = {"openapi": "3.0.0", "x": [{"$ref": pointer}] * 5_000}
    links = {("r.yaml", "p.yaml"): "p.yaml"}
    with limit_processor_time(10), pytest.raises(Invalid, match="too large"):
        bundle_files("$openapi", "r.yaml", {"r.yaml": root, "p.yaml": part}, links)


def test_the_number_of_files_that_a_file_names_is_limited() -> None:
    """Each spelling counts, also several spellings of the same file."""
    many = "".join(f"- {{$ref: 'p.yaml?{n}'}}\n" for n in range(2_001))
    with pytest.raises(TooLarge, match=r"^a\.yaml: refers to over 2,000 other files"):
        targets_in(many.encode(), "a.yaml")
    few = b"- {$ref: 'p.yaml#/a'}\n" * 5_000
    assert targets_in(few, "a.yaml") == ["p.yaml"]


async def test_a_long_bundle_is_made_in_another_process() -> None:
    """The process whose event loop answers requests spends almost no time on it."""
    refs = "".join(f"  A{n}: {{$ref: 'p.yaml#/S{n}'}}\n" for n in range(5_000))
    part = "".join(f"S{n}: {{type: string}}\n" for n in range(5_000)).encode()
    root = f"openapi: '3'\ncomponents:\n schemas:\n{refs}".encode()
    bodies, links = {"r": root, "p": part}, {("r", "p.yaml"): "p"}
    start = time.process_time()
    text = await compute(bundle_of, "$openapi", "r", bodies, links)
    taken = time.process_time() - start
    start = time.process_time()
    assert text == bundle_of("$openapi", "r", bodies, links)
    assert taken < (time.process_time() - start) / 2


NAMES = ("a.yaml", "b.yaml")
REFS = st.sampled_from(["a.yaml#/x", "b.yaml#/x", "#/x", "#/x/x", "b.yaml", "a.yaml"])
PARTS = st.recursive(
    st.just({"type": "string"}) | st.builds(lambda to: {"$ref": to}, REFS),
    lambda inner: st.dictionaries(
        st.sampled_from(["x", "schema", "properties", "paths", "items"]), inner
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(one=PARTS, other=PARTS)
def test_a_bundle_needs_no_other_file(one: Any, other: Any) -> None:
    """Whatever the files refer to: all references of a bundle are internal."""
    root = {"openapi": "3.0.0", "x": one}
    files = {"a.yaml": root, "b.yaml": {"x": other}}
    links = {(at, to): to for at in NAMES for to in NAMES}
    try:
        text = bundle_files("$openapi", "a.yaml", files, links)
    except Invalid:
        return  # What leads nowhere, or to itself, is refused.
    assert outer_files(load_yaml(text, label="")) == []
