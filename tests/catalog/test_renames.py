"""What a reading remembers of renamed files, and the time that it takes for them."""

from collections.abc import Mapping, Sequence
from typing import cast

import pytest

from services.catalog.readers import renames
from services.catalog.readers.renames import RenamedFiles
from shared.contracts.errors import NotFound, Unavailable
from shared.kit.git.addresses import GitTarget
from shared.kit.git.mirrors import RepositoryMirrors

TARGET = GitTarget("local", "git.example", "shop", "main", "old.yaml")


class Mirrors:
    """Mirrors of repositories in which each file was renamed; counts the questions."""

    def __init__(self, files: int = 1) -> None:
        self.files = files
        self.questions: list[tuple[str, float]] = []

    async def renames(
        self, _: GitTarget, since: str, __: str, *, seconds: float
    ) -> Mapping[str, Sequence[str]]:
        self.questions.append((since, seconds))
        if since == "lost":
            raise NotFound("bad object lost")
        files: dict[str, Sequence[str]] = {
            f"{number}": ["x"] for number in range(self.files - 1)
        }
        return files | {"old.yaml": [f"{since}.yaml"]}


def renamed_by(mirrors: Mirrors) -> RenamedFiles:
    return RenamedFiles(cast("RepositoryMirrors", mirrors))


async def test_renames_since_a_commit_are_listed_once() -> None:
    """Also since one that is lost; each file has an error of its own."""
    mirrors = Mirrors()
    files = renamed_by(mirrors)
    errors = []
    for _ in range(3):
        for since in ("one", "two"):
            assert await files.paths(TARGET, since, "now") == [f"{since}.yaml"]
        assert await files.paths(TARGET.at("b"), "one", "now") == ["b"]
        with pytest.raises(NotFound, match="bad object") as error:
            await files.paths(TARGET, "lost", "now")
        errors.append(error.value)
    assert [since for since, _ in mirrors.questions] == ["one", "two", "lost"]
    assert len({id(error) for error in errors}) == 3


async def test_the_last_renames_alone_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many commits there are, and however much was renamed since each."""
    monkeypatch.setattr(renames, "MOST_RENAMES", 100)
    mirrors = Mirrors(files=40)
    files = renamed_by(mirrors)
    for number in (*range(20), 19, 18):
        await files.paths(TARGET, f"{number}", "now")
        assert len(files._renames) <= 2
    assert len(mirrors.questions) == 20
    mirrors.files = 1_000
    await files.paths(TARGET, "huge", "now")
    assert await files.paths(TARGET, "huge", "now") == ["huge.yaml"]
    assert len(mirrors.questions) == 21


async def test_a_reading_takes_a_minute_for_renames(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """First to compare files, then for those of one content; then it asks no more."""
    mirrors = Mirrors()
    files = renamed_by(mirrors)
    clock = iter(range(0, 1_000, 15))
    monkeypatch.setattr(renames.time, "monotonic", lambda: float(next(clock)))
    for number in range(4):
        await files.paths(TARGET, f"{number}", "now")
    with pytest.raises(Unavailable, match="too long"):
        await files.paths(TARGET, "next", "now")
    assert [seconds for _, seconds in mirrors.questions] == [20.0, 5.0, 0.0, 0.0]
