"""Dry runs: a template tried as it stands in an editor."""

import asyncio
import base64
import threading
from pathlib import Path
from typing import Any

import pytest

from services.scaffolder.handlers import dry_run
from services.scaffolder.handlers.open_dry_runs import OpenDryRuns
from services.scaffolder.model import Initiator
from shared.contracts.entity import Entity
from tests.builders import template
from tests.rawtrees import FILE, FOLDER, LINK, RawRepository, escaping_tree
from tests.scaffolder.calls import say, step
from tests.scaffolder.test_run_parts import factory
from tests.waiting import until

HOST = "git.example.test"
ANN = Initiator("user:default/ann")


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture
async def dry(start: Any, principal_headers: Any) -> Any:
    headers = principal_headers()

    async with start() as client:

        async def run(entity: Any, files: Any = (), **more: Any) -> Any:
            body = {
                "template": entity,
                "values": {},
                "directoryContents": [
                    {"path": path, "base64Content": encoded(text)}
                    for path, text in files
                ],
                **more,
            }
            return await client.post("/v2/dry-run", json=body, headers=headers)

        run.client = client  # type: ignore[attr-defined]
        run.headers = headers  # type: ignore[attr-defined]
        yield run


async def test_a_dry_run_shows_files_log_and_output(dry: Any, catalog: Any) -> None:
    """It runs for real in a folder of its own, and leaves nothing."""
    steps = [
        step(
            "fetch:template",
            "fetch",
            url="./skeleton",
            values={"n": "${{ parameters.n }}"},
        ),
        say("hello"),
        step("catalog:register", "reg", catalogInfoUrl="https://h/x"),
        say("${{ steps.reg.output.entityRef }}"),
    ]
    entity = template("t", steps=steps, output={"x": "${{ parameters.n }}"})
    answer = await dry(
        entity, [("skeleton/a.txt", "I am ${{ values.n }}")], values={"n": "x"}
    )
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["output"] == {"x": "x"}
    content = body["directoryContents"]
    assert [
        (file["path"], base64.b64decode(file["base64Content"])) for file in content
    ] == [("a.txt", b"I am x")]
    log_texts = [line["body"]["message"] for line in body["log"]]
    assert "hello" in log_texts
    assert "Skipping because catalog:register does not support dry-run" in log_texts
    assert "<example>" in log_texts
    assert [one["id"] for one in body["steps"]] == ["fetch", "step-2", "reg", "step-4"]
    assert catalog.registered == []
    listed = await dry.client.get("/v2/tasks", headers=dry.headers)
    assert listed.json()["totalTasks"] == 0


@pytest.mark.parametrize(
    ("failing_step", "status", "name"),
    [
        (step("no:such"), 404, "NotFoundError"),
        (step("debug:log", message=5), 400, "InputError"),
        (step("fetch:template", url="./s", targetPath="../.."), 403, "NotAllowedError"),
        (step("fetch:plain", url="../../../etc"), 403, "NotAllowedError"),
        (step("fetch:plain", url="/etc"), 403, "NotAllowedError"),
        (step("fetch:plain", url="./nothing"), 404, "NotFoundError"),
        (step("fetch:template", url="./s"), 500, "TemplateRenderError"),
    ],
)
async def test_a_dry_run_answers_with_the_failing_steps_error(
    dry: Any, failing_step: Any, status: int, name: str
) -> None:
    """The error of the step, with its own status."""
    answer = await dry(template("t", steps=[failing_step]), [("s/a", "{% if %}")])
    assert (answer.status_code, answer.json()["error"]["name"]) == (status, name)


async def test_values_and_templates_are_checked(dry: Any) -> None:
    """400 either way, with what is wrong."""
    page = {"required": ["n"]}
    values = await dry(template("t", parameters=[page]))
    assert values.json()["errors"][0]["argument"] == "n"
    entity = template("t")
    del entity["spec"]["steps"]
    without = await dry(entity)
    assert without.status_code == 400
    assert "steps" in without.json()["error"]["message"]


@pytest.mark.parametrize(
    "contents",
    [
        [{"path": "../out", "base64Content": ""}],
        [{"path": "a", "base64Content": "%%%"}],
        [{"path": 5, "base64Content": ""}],
        [{"path": "a"}],
        [{"path": "a", "base64Content": ""}, {"path": "a/b", "base64Content": ""}],
    ],
)
async def test_invalid_files_of_a_dry_run_are_refused(dry: Any, contents: Any) -> None:
    """Paths outside, broken base64, missing fields."""
    answer = await dry(template("t"), directoryContents=contents)
    assert answer.status_code in {400, 403}
    assert answer.json()["error"]["message"]


async def test_links_of_a_repository_are_shown(dry: Any, repositories: Path) -> None:
    """A link that the run would publish is shown with what it leads to."""
    raw = RawRepository(repositories / "linked.git")
    link = raw.blob("../README.md")
    inner = raw.tree([(LINK, b"README.md", link)])
    top = raw.tree([(FILE, b"README.md", raw.blob("# R")), (FOLDER, b"docs", inner)])
    raw.commit(top)
    fetch = step("fetch:template", url=f"https://{HOST}/linked/tree/main/", values={})
    answer = await dry(template("t", steps=[fetch]))
    assert answer.status_code == 200, answer.text
    assert answer.json()["directoryContents"] == [
        {"path": "README.md", "executable": False, "base64Content": encoded("# R")},
        {
            "path": "docs/README.md",
            "executable": False,
            "base64Content": encoded("../README.md"),
            "symlink": True,
        },
    ]


async def test_a_fetched_repository_writes_nothing_outside(
    dry: Any, repositories: Path, tmp_path: Path
) -> None:
    """A malicious tree is refused by a path in it, and nothing is written."""
    outside = tmp_path / "outside"
    outside.mkdir()
    raw = RawRepository(repositories / "escape.git")
    raw.commit(escaping_tree(raw, outside, "owned"))
    for action in ("fetch:plain", "fetch:template"):
        url = f"https://{HOST}/escape/tree/main/"
        answer = await dry(template("t", steps=[step(action, url=url)]))
        assert answer.status_code == 400
        assert str(tmp_path) not in answer.text
    assert list(outside.iterdir()) == []


async def test_secrets_are_masked_in_a_dry_run(dry: Any) -> None:
    """The author sees that a secret is used, not its value."""
    entity = template("t", steps=[say("with ${{ secrets.key }}")])
    answer = await dry(entity, secrets={"key": "hunter2"})
    assert "hunter2" not in answer.text
    assert "with ***" in answer.text


@pytest.mark.parametrize("number", ["${{ 2 ** 62 * 4 }}", "${{ parameters.n }}"])
async def test_a_number_beyond_64_bits_is_shown(dry: Any, number: str) -> None:
    """As JavaScript's number, wherever it comes from: no answer holds another."""
    entity = template("t", steps=[say("hello")], output={"n": number})
    answer = await dry(entity, values={"n": 2**64})
    assert answer.status_code == 200, answer.text
    assert answer.json()["output"]["n"] == 2.0**64


async def test_a_dry_run_ends_in_time(
    dry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its steps wait for; nothing of it stays."""
    monkeypatch.setattr(dry_run, "SECONDS", 0.2)
    rounds = {**say("${{ each.value }}"), "each": list(map(str, range(1_000)))}
    answer = await dry(template("t", steps=[rounds] * 20))
    assert answer.status_code == 413, answer.text
    assert "takes over 0.2 seconds" in answer.text


@pytest.mark.parametrize("is_late", [False, True])
async def test_the_folder_of_a_cancelled_dry_run_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_late: bool
) -> None:
    """In its turn, also if it is cancelled again or its time ends; with its place."""
    monkeypatch.setattr(dry_run, "SECONDS", 0.2 if is_late else 60.0)
    runs, places = factory(tmp_path), OpenDryRuns()
    entity = template("t", steps=[say("short")])
    trial = dry_run.Trial(Entity(entity), {}, {}, [])
    is_unpacking, may_end = threading.Event(), threading.Event()

    def unpack(*_: object) -> None:
        is_unpacking.set()
        assert may_end.wait(30)

    monkeypatch.setattr(dry_run, "_unpack", unpack)

    async def result() -> None:
        options: Any = {"run_factory": runs, "open_dry_runs": places}
        user: Any = {"ref": ANN.ref}
        await dry_run.dry_run(trial, ANN, user, folder=tmp_path / "dry", **options)

    running = asyncio.create_task(result())
    await until(is_unpacking.is_set, condition="the dry run has a folder")
    running.cancel()
    await asyncio.sleep(0.3 if is_late else 0.05)
    if not is_late:
        running.cancel()
        await asyncio.sleep(0.05)
    assert not running.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert list((tmp_path / "dry").iterdir()) == []
    assert not places._by_creator
