"""A run reads with the portal's credentials what its starter may read, and no more."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.builders import template
from tests.scaffolder.calls import create, messages, step, wait_for_status

ROOT = "https://git.example.test"
MARK = "fifteen-nights-only"


@pytest.fixture
def vault(repositories: Path, tmp_path: Path) -> str:
    """A repository that nobody may read, and its address."""
    bare, copy = repositories / "vault.git", tmp_path / "vault"
    run = lambda *words, **more: subprocess.run(words, check=True, **more)  # noqa: E731
    run("git", "init", "-q", "--bare", "--initial-branch=main", str(bare))
    run("git", "clone", "-q", str(bare), str(copy))
    (copy / "notes.md").write_text(MARK)
    author = ("-c", "user.name=Bo", "-c", "user.email=bo@example.org")
    run("git", "add", "-A", cwd=copy)
    run("git", *author, "commit", "-qm", "x", cwd=copy)
    run("git", "push", "-q", "origin", "HEAD:main", cwd=copy)
    return f"{ROOT}/vault"


def steps_at(root: str) -> list[Any]:
    """Every action that reads a source, at an address of it."""
    file = f"{root}/blob/main/notes.md"
    return [
        step("fetch:plain", "s", url=f"{root}/tree/main/"),
        step("fetch:template", "s", url=f"{root}/tree/main/", values={}),
        step("fetch:plain:file", "s", url=file, targetPath="out"),
        step("fetch:template:file", "s", url=file, targetPath="out", values={}),
    ]


@pytest.mark.parametrize("number", range(4))
async def test_a_dry_run_reads_no_closed_source(
    start, ann, catalog, vault, number
) -> None:
    """It answers as for a missing repository."""
    catalog.restricted.add(f"url:{vault}")
    errors = []
    async with start() as client:
        for root in (vault, f"{ROOT}/nowhere"):
            entity = template("t", steps=[steps_at(root)[number]])
            body = {"template": entity, "values": {}, "directoryContents": []}
            answer = await client.post("/v2/dry-run", json=body, headers=ann)
            assert answer.status_code == 404, answer.text
            assert MARK not in answer.text
            errors.append(answer.json()["error"]["message"].replace("nowhere", "vault"))
    assert errors[0] == errors[1]


async def test_a_dry_run_reads_an_open_source(start, ann, vault) -> None:
    """The rule closes nothing else."""
    async with start() as client:
        for one in steps_at(vault):
            entity = template("t", steps=[one])
            body = {"template": entity, "values": {}, "directoryContents": []}
            answer = await client.post("/v2/dry-run", json=body, headers=ann)
            assert answer.status_code == 200, answer.text


async def test_a_run_reads_with_the_rights_of_its_creator(
    start, ann, catalog, vault
) -> None:
    """Its actions use the creator's name that is stored with the run."""
    catalog.restricted.add(f"url:{vault}")
    async with start() as client:
        for number, one in enumerate(steps_at(vault)):
            catalog.add(template(f"t{number}", steps=[one]))
            task_id = await create(client, ann, f"t{number}")
            ended = await wait_for_status(client, ann, task_id)
            assert ended["status"] == "failed"
            log_texts = " ".join(await messages(client, ann, task_id))
            assert "There is no repository vault" in log_texts
    assert {asker.ref for _, asker in catalog.read} == {"user:default/ann"}
    assert all(location.startswith(f"url:{vault}") for location, _ in catalog.read)


@pytest.fixture
def mixed(repositories: Path, tmp_path: Path) -> str:
    """A repository with links from an open folder into one that nobody may read."""
    bare, copy = repositories / "mixed.git", tmp_path / "mixed"
    run = lambda *words, **more: subprocess.run(words, check=True, **more)  # noqa: E731
    run("git", "init", "-q", "--bare", "--initial-branch=main", str(bare))
    run("git", "clone", "-q", str(bare), str(copy))
    (copy / "pub").mkdir()
    (copy / "sub").mkdir()
    (copy / "pub" / "notes.md").write_text("notes")
    (copy / "sub" / "notes.md").write_text(MARK)
    (copy / "pub" / "l").symlink_to("../sub/notes.md")
    (copy / "pub" / "gone").symlink_to("../sub/none")
    (copy / "pub" / "d").symlink_to("../sub")
    (copy / "pub" / "open").symlink_to("notes.md")
    author = ("-c", "user.name=Bo", "-c", "user.email=bo@example.org")
    run("git", "add", "-A", cwd=copy)
    run("git", *author, "commit", "-qm", "x", cwd=copy)
    run("git", "push", "-q", "origin", "HEAD:main", cwd=copy)
    return f"{ROOT}/mixed"


@pytest.mark.parametrize("action", ["fetch:plain:file", "fetch:template:file"])
async def test_a_link_to_a_closed_file_leads_to_nothing(
    start, ann, catalog, mixed, action
) -> None:
    """A right to a link's address is none to the file that it leads to."""
    catalog.restricted.add(f"url:{mixed}/blob/main/sub")
    errors = {}
    async with start() as client:

        async def dry_run(path: str) -> Any:
            url = f"{mixed}/blob/main/{path}"
            entity = template("t", steps=[step(action, "s", url=url, targetPath="o")])
            body = {"template": entity, "values": {}, "directoryContents": []}
            return await client.post("/v2/dry-run", json=body, headers=ann)

        for path in ("pub/gone", "pub/l", "pub/d/notes.md", "pub/d"):
            answer = await dry_run(path)
            assert answer.status_code == 404, answer.text
            assert MARK not in answer.text
            errors[path] = answer.json()["error"]["message"].replace(path, "PATH")
        assert (await dry_run("pub/open")).status_code == 200
    assert len(set(errors.values())) == 1, errors


@pytest.mark.parametrize("action", ["fetch:plain", "fetch:template"])
async def test_a_link_to_a_closed_folder_leads_to_nothing(
    start, ann, catalog, mixed, action
) -> None:
    """The folder around it is read, with links as links."""
    catalog.restricted.add(f"url:{mixed}/blob/main/sub")
    async with start() as client:
        for path, status in (("pub/d", 404), ("pub/none", 404), ("pub", 200)):
            url = f"{mixed}/tree/main/{path}"
            entity = template("t", steps=[step(action, "s", url=url)])
            body = {"template": entity, "values": {}, "directoryContents": []}
            answer = await client.post("/v2/dry-run", json=body, headers=ann)
            assert answer.status_code == status, answer.text
            assert MARK not in answer.text
            if status == 404:
                assert f"There is no folder '{path}'" in answer.text
