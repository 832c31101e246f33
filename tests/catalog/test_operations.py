"""The words of an API's operations: for search, of every language, bounded."""

import time
from pathlib import Path
from typing import Any

import pytest

from services.catalog.api import operations as api
from services.catalog.ingest.operations import operation_text
from shared.contracts.catalog import SEARCHED_CHARACTERS
from shared.guards.budgets import BudgetExceeded
from shared.kit.http.service_tokens import Principal
from tests import builders
from tests.catalog.running import Running, running, write
from tests.costs import slowness

SEARCH = Principal("service:search", "service")
OPENAPI = """
openapi: 3.1.0
paths:
  /tickets/{number}/refunds:
    post:
      operationId: refundTicket
      summary: Give the money back
      tags: [Box office]
      callbacks: {moneySent: {'{$request.body#/to}': {put: {summary: On its way}}}}
    x-note: {summary: not an operation}
webhooks: {seatFreed: {post: {summary: Someone left}}}
components:
  schemas: {Hidden: {description: not searched}}
  pathItems: {Seats: {patch: {summary: Sit elsewhere}}}
"""
ASYNCAPI = """
asyncapi: 3.0.0
channels:
  sold: {address: tickets.sold, messages: {TicketSold: {summary: One went}}}
operations: {onSold: {action: receive, summary: Counts them}}
"""
OLD_ASYNCAPI = """
asyncapi: 2.6.0
channels: {doors/opened: {subscribe: {operationId: doorsOpened, summary: It begins}}}
"""
GRAPHQL = """
type Query {
  showsOf(theatre: ID!): [Show!]
  halls: [Hall]
}
type Show { title: String, secretField: Int }
extend type Mutation {
  bookSeat(seat: ID!): Ticket
}
"""
PROTO = """
service SeatMap { // serves rpc nothing
  rpc WatchMaps (Request) returns (stream Map);
  rpc Hold(Request) returns (Answer) {}
}
message Request { string field = 1; }
"""


@pytest.mark.parametrize(
    ("kind", "text", "expected_words", "absent_words"),
    [
        (
            "openapi",
            OPENAPI,
            "POST /tickets/{number}/refunds refundTicket refund Ticket PUT Seats PATCH",
            "Hidden not an operation searched",
        ),
        (
            "asyncapi",
            ASYNCAPI,
            "sold tickets.sold TicketSold One went onSold",
            "receive",
        ),
        ("asyncapi", OLD_ASYNCAPI, "doors/opened doorsOpened It begins", "2.6.0"),
        ("graphql", GRAPHQL, "showsOf shows Of halls bookSeat", "title secretField"),
        ("grpc", PROTO, "SeatMap WatchMaps Watch Maps Hold", "Request field"),
        ("openapi", "a: [", "", "a"),
        ("openapi", "paths: [a]", "", "a"),
        ("trpc", "anything", "", "anything"),
    ],
)
def test_words_are_extracted_from_each_definition_format(
    kind: str, text: str, expected_words: str, absent_words: str
) -> None:
    """Names, their parts, paths, summaries and tags; nothing of schemas."""
    words = operation_text(kind, text).split()
    assert set(expected_words.split()) <= set(words)
    assert not set(absent_words.split()) & set(words)


def test_the_words_of_a_definition_are_limited() -> None:
    """Of ten thousand operations with long words the first are taken."""
    paths = "".join(
        f"  /p{n}: {{get: {{summary: {'w' * 500}{n}}}}}\n" for n in range(10_000)
    )
    start = time.process_time()
    words = operation_text("openapi", f"openapi: 3.0.0\npaths:\n{paths}")
    assert time.process_time() - start < 30 * slowness()
    assert len(words) <= SEARCHED_CHARACTERS
    assert "/p100" in words


async def published_spec(catalog: Running, file: Path) -> Any:
    """What an event says of the API that a file describes."""
    await catalog.register(file)
    [event] = [e for e in await catalog.published() if e.subject.startswith("api:")]
    return event.data["entity"]["spec"]


async def test_words_are_requested_by_definition_content(
    database: Any, data: Path
) -> None:
    """For a text in the request or a stored one; for services only."""
    long = OPENAPI + "x-pad: |\n" + "  line\n" * 4_000
    file = write(data, "a.yaml", builders.api(definition=long))
    async with running(database, data) as catalog:
        spec = await published_spec(catalog, file)
        short = {"type": "OpenAPI", "definition": OPENAPI}
        body = {"definitions": [spec, short, {"type": "odd"}, 5]}
        for _ in range(2):
            path = "/snapshot/operations"
            answer = await catalog.ask("POST", path, body, SEARCH)
            first, second, *further_words = answer.json()["items"]
            assert first == second == operation_text("openapi", OPENAPI)
            assert further_words == ["", ""]
        refused = await catalog.ask("POST", "/snapshot/operations", body)
        assert refused.status_code == 403


async def test_extraction_that_timed_out_is_retried(
    database: Any, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy machine does not leave an API without operations for good."""
    real = api.run_bounded

    async def run_late(*_: Any, **__: Any) -> Any:
        raise BudgetExceeded("definition: takes too long")

    file = write(data, "a.yaml", builders.api(definition=OPENAPI + "#" * 20_000))
    async with running(database, data) as catalog:
        body = {"definitions": [await published_spec(catalog, file)]}
        for run, words in ((run_late, ""), (real, operation_text("openapi", OPENAPI))):
            monkeypatch.setattr(api, "run_bounded", run)
            answer = await catalog.ask("POST", "/snapshot/operations", body, SEARCH)
            assert answer.json()["items"] == [words]
