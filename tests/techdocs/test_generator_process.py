"""The process that runs mkdocs: its limits, what it knows, and its end."""

import asyncio
from pathlib import Path

import pytest

from services.techdocs.stages.generate import ProcessGenerator
from shared.contracts.errors import Invalid, Unavailable
from tests.techdocs.generating import CONFIG, Make, page, set_aside
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_build_that_takes_too_long_is_stopped(generate: Make) -> None:
    """The error names the time limit, and no process is left running."""
    async with ProcessGenerator(0.05) as hasty:
        with pytest.raises(Invalid, match="longer than") as raised:
            await generate({"docs/index.md": "# Hi\n"}, by=hasty)
    assert raised.value.code == "stopped"


async def test_a_build_that_takes_too_much_memory_is_stopped(generate: Make) -> None:
    """The limit of memory ends the build, not the service."""
    text = "# Hi\n\n" + "word " * 400_000
    with pytest.raises(Invalid, match="more than 64 MB of memory"):
        await generate({"docs/index.md": text}, memory_bytes=64 * 1024**2)


async def test_a_build_cannot_read_the_services_environment(
    generate: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A configuration that refers to secrets gets nothing."""
    monkeypatch.setenv("CALLBOARD_SERVICE_SECRET", "very-secret-value")
    generated, _ = await generate(
        {
            "mkdocs.yml": CONFIG + "copyright: !ENV [CALLBOARD_SERVICE_SECRET, none]\n",
            "docs/index.md": "# Hi\n",
        }
    )
    assert "very-secret-value" not in page(generated)


async def test_a_build_does_not_affect_the_next_one(
    generate: Make, tmp_path: Path
) -> None:
    """The same files make the same page, whatever was built before."""
    files = {"mkdocs.yml": CONFIG, "docs/index.md": "# Hi\n\n```python\nx\n```\n"}
    first, _ = await generate(files)
    before = page(first)
    set_aside(tmp_path)
    again, _ = await generate(files)
    assert page(again) == before


async def test_a_generator_with_a_broken_pipe_is_replaced(
    generate: Make, tmp_path: Path
) -> None:
    """It still runs, but takes no work: the next attempt has a new process."""
    async with ProcessGenerator(30) as doomed:
        await doomed.warm_up()
        assert doomed._process is not None
        assert doomed._process.stdin is not None
        doomed._process.stdin.transport.abort()
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await generate({"docs/index.md": "# Hi\n"}, by=doomed)
        set_aside(tmp_path)
        generated, _ = await generate({"docs/index.md": "# Hi\n"}, by=doomed)
        assert generated.pages == 1


async def test_a_dead_generator_is_replaced(generate: Make, tmp_path: Path) -> None:
    """Its caller gets a temporary error, and a second attempt succeeds."""
    async with ProcessGenerator(30) as doomed:
        waiting = asyncio.ensure_future(
            generate({"docs/index.md": "# Hi\n"}, by=doomed)
        )
        await until(
            lambda: [r for r in doomed._running.values() if r.pid], condition="work"
        )
        assert doomed._process is not None
        doomed._process.kill()
        with pytest.raises(Unavailable):
            await waiting
        set_aside(tmp_path)
        generated, _ = await generate({"docs/index.md": "# Hi\n"}, by=doomed)
        assert generated.pages == 1
