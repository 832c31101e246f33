"""Work of many readers beside the event loop: one of them holds up no other."""

import asyncio
import threading
from dataclasses import replace
from typing import Any

import pytest

from services.portal.model import Visitor
from services.portal.reader_turns import MOST_AT_ONCE, SHARED_FACTOR, ReaderTurns
from shared.contracts.errors import Invalid, TooMany
from shared.guards.workers import run_beside
from tests.portal.company import ANN, GUEST
from tests.portal.conftest import Client
from tests.portal.fakes import visitor
from tests.portal.services import FakeServices
from tests.waiting import until

FORM = "/create/templates/default/python-service"


@pytest.fixture
def api() -> FakeServices:
    return FakeServices()


class Gate:
    """Work that goes on until the gate is opened."""

    def __init__(self) -> None:
        self.started = 0
        self._opened = threading.Event()

    def work(self) -> None:
        self.started += 1
        assert self._opened.wait(30)

    def open(self) -> None:
        self._opened.set()


async def test_one_piece_of_a_readers_work_is_under_way() -> None:
    """The other thread is for other readers, however much of it waits."""
    turns, gate, order = ReaderTurns(), Gate(), list[int]()
    first = asyncio.create_task(turns.run(visitor(ANN), gate.work))
    rest = [
        asyncio.create_task(turns.run(visitor(ANN), order.append, number))
        for number in range(10)
    ]
    await until(lambda: gate.started, condition="the first piece is under way")
    assert await turns.run(visitor(GUEST), sum, [1, 2]) == 3
    assert order == []
    gate.open()
    await asyncio.gather(first, *rest)
    assert order == list(range(10))


async def test_a_turn_lasts_as_long_as_its_work() -> None:
    """Who leaves does not get another thread: the first one is still at work."""
    turns, gate, order = ReaderTurns(), Gate(), list[str]()
    first = asyncio.create_task(turns.run(visitor(ANN), gate.work))
    await until(lambda: gate.started, condition="the first piece is under way")
    first.cancel()
    second = asyncio.create_task(turns.run(visitor(ANN), order.append, "second"))
    await turns.run(visitor(GUEST), order.append, "of another")
    gate.open()
    await second
    assert order == ["of another", "second"]
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_an_error_of_work_is_its_readers() -> None:
    """The next piece has its turn."""
    turns = ReaderTurns()

    def fail() -> None:
        raise Invalid("wrong")

    with pytest.raises(Invalid):
        await turns.run(visitor(ANN), fail)
    assert await turns.run(visitor(ANN), len, "four") == 4


def guest(address: str, sign_in: str) -> Visitor:
    return replace(visitor(GUEST), client=(address, sign_in))


@pytest.mark.parametrize(
    ("readers", "limit"),
    [
        ([visitor(ANN)], MOST_AT_ONCE),
        ([guest("192.0.2.1", "one")], MOST_AT_ONCE),
        (
            [guest("192.0.2.1", str(number)) for number in range(50)],
            MOST_AT_ONCE * SHARED_FACTOR,
        ),
    ],
    ids=["person", "sign-in", "address"],
)
async def test_too_much_work_of_a_reader_is_refused(
    readers: list[Visitor], limit: int
) -> None:
    """Of a person, of a guest's sign-in, and of all guests at one address."""
    turns, gate = ReaderTurns(), Gate()
    pieces = [
        asyncio.create_task(turns.run(readers[number % len(readers)], gate.work))
        for number in range(limit)
    ]
    await until(lambda: gate.started, condition="the first piece is under way")
    with pytest.raises(TooMany) as refusal:
        await turns.run(readers[-1], gate.work)
    assert str(limit) in refusal.value.message
    gate.open()
    await asyncio.gather(*pieces)
    await turns.run(readers[-1], gate.work)


async def test_one_guest_leaves_turns_to_others() -> None:
    """Sign-ins take turns at their address, addresses at the thread of all guests."""
    turns, gate, order = ReaderTurns(), Gate(), list[str]()
    first = asyncio.create_task(turns.run(guest("192.0.2.1", "a"), gate.work))
    await until(lambda: gate.started, condition="the first piece is under way")
    pieces = [
        asyncio.create_task(turns.run(guest(address, name), order.append, name))
        for address, name in [
            *[("192.0.2.1", "a")] * 10,
            *[("192.0.2.1", "b")] * 10,
            ("192.0.2.1", "of the same address"),
            ("192.0.2.2", "of another address"),
        ]
    ]
    await until(lambda: turns.waiting == len(pieces) + 1, condition="all wait")
    gate.open()
    await asyncio.gather(first, *pieces)
    assert order.index("of another address") <= 1
    assert order.index("of the same address") <= 4


async def test_a_form_is_shown_while_many_of_another_reader_wait(
    client: Client, api: FakeServices
) -> None:
    """The guest's form has its turn before most of those that Ann requested first."""
    questions = {f"q{number}": {"type": "string"} for number in range(200)}
    api.steps = [{"title": "Many", "schema": {"properties": questions}}]
    ann, other, order = client(), client(GUEST), list[str]()

    async def show(name: str, reader: Any) -> None:
        assert (await reader.get(FORM)).status_code == 200
        order.append(name)

    forms = [show("Ann", ann) for _ in range(MOST_AT_ONCE)]
    await asyncio.gather(*forms, show("guest", other))
    assert order.index("guest") < MOST_AT_ONCE // 2


async def test_one_form_too_many_is_answered_429(client: Client, portal: Any) -> None:
    """By the portal's own page, which says when to try again."""
    turns, gate = portal.state.portal.turns, Gate()
    pieces = [
        asyncio.create_task(turns.run(visitor(ANN), gate.work))
        for _ in range(MOST_AT_ONCE)
    ]
    await until(lambda: gate.started, condition="the first piece is under way")
    refused = await client().get(FORM)
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "5"
    assert "Too much at once" in refused.text
    gate.open()
    await asyncio.gather(*pieces)
    assert (await client().get(FORM)).status_code == 200


async def test_the_threads_are_two() -> None:
    """What the turns rely on: one reader's work leaves a thread to others."""
    gate = Gate()
    first = asyncio.create_task(run_beside(gate.work))
    assert await run_beside(len, "four") == 4
    gate.open()
    await first
