"""Reading definitions for pages: off the loop, once for all, and never for ever."""

import asyncio
from dataclasses import replace

import pytest

from services.portal.definitions import reading
from services.portal.definitions.languages import (
    PIECE_ENTRIES,
    in_pieces,
    of_pieces,
    without_text,
)
from services.portal.definitions.reading import SHORT, DefinitionReader

LONG = "openapi: 3.1.0\ninfo: {title: Long}\npaths:\n" + "".join(
    f"  /p{n}: {{get: {{summary: Number {n}}}}}\n" for n in range(400)
)


@pytest.fixture
def read_often(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that were read, in order."""
    texts: list[str] = []
    real = reading._read

    async def counting(kind: str, text: str) -> reading.Definition:
        texts.append(text)
        return await real(kind, text)

    monkeypatch.setattr(reading, "_read", counting)
    return texts


async def test_a_long_definition_is_read_in_another_process(
    read_often: list[str],
) -> None:
    """Concurrent and later readers share one result, with the text."""
    assert len(LONG) > SHORT
    reader = DefinitionReader()
    definitions = await asyncio.gather(
        *(reader.read("openapi", LONG) for _ in range(8))
    )
    definitions.append(await reader.read("OpenAPI", LONG))
    assert read_often == [LONG]
    assert {definition.title for definition in definitions} == {"Long"}
    assert all(definition.raw == LONG for definition in definitions)
    assert len(definitions[0].groups[0].entries) == 400


async def test_a_cancelled_reader_does_not_cancel_the_others(
    read_often: list[str],
) -> None:
    """A client that disconnects ends its own waiting only."""
    reader = DefinitionReader()
    leaving = asyncio.create_task(reader.read("openapi", LONG))
    staying = asyncio.create_task(reader.read("openapi", LONG))
    await asyncio.sleep(0)
    leaving.cancel()
    assert (await staying).title == "Long"
    assert len(read_often) == 1


async def test_a_definition_over_its_time_is_shown_as_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process is killed; the page has the text and the reason."""
    anchors = "".join(f"x-{n}: {{a: [{'1, ' * 900}1]}}\n" for n in range(900))
    slow = f"openapi: 3.1.0\n{anchors}"
    with monkeypatch.context() as patched:
        patched.setattr(reading, "SECONDS", 0.2)
        definition = await DefinitionReader().read("openapi", slow)
    assert definition.problem == reading.LATE
    assert definition.raw == slow
    assert (await DefinitionReader().read("openapi", LONG)).title == "Long"


async def test_the_number_of_cached_definitions_is_limited() -> None:
    """For definitions that people open one after another."""
    reader = DefinitionReader()
    for number in range(reading.REMEMBERED * 2):
        await reader.read("openapi", f"openapi: 3.1.0\nx: {number}\n")
    assert len(reader._recent) == reading.REMEMBERED


@pytest.mark.parametrize("language", ["openapi", "graphql", "grpc"])
def test_a_definition_is_rebuilt_from_its_parts(language: str) -> None:
    """Also groups of one id, groups without entries, and unreadable parts."""
    tags = "[a b, a-b]"
    paths = "".join(f"  /q{n}: {{get: {{tags: {tags}}}}}\n" for n in range(450))
    texts = {
        "openapi": f"openapi: 3.1.0\npaths:\n{paths}",
        "graphql": "".join(f"type T{n} {{ a: Int }}\n" for n in range(401)),
        "grpc": "service S {}\nmessage M { }",
    }
    for text in (texts[language], "{"):
        pieces = in_pieces(language, text)
        assert all(len(entries) <= PIECE_ENTRIES for _, entries in pieces[1:])
        whole = without_text(language, text)
        assert of_pieces(pieces) == replace(whole, groups=list(whole.groups))
