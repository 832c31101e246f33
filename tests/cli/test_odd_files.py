"""Commands that read a stranger's tree end with an error where a name is no file."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from deploy.cli.commands import all_commands
from tests import builders
from tests.catalog.running import write

#: A read of a pipe would wait without an end.
pytestmark = pytest.mark.timeout(30)


def run(*words: str | Path) -> Result:
    """The command's result, which must not be a traceback."""
    done = CliRunner().invoke(all_commands(), [*map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


NO_FILE = "it is no regular file"
LOOP = "Too many levels of symbolic links"
ODD = pytest.mark.parametrize(
    ("make", "reason"),
    [(os.mkfifo, NO_FILE), (endless, NO_FILE), (link_to_itself, LOOP)],
    ids=["pipe", "device", "loop"],
)
Make = Callable[[Path], None]


@ODD
@pytest.mark.parametrize("name", ["catalog-info.yaml", "all.yaml"])
def test_a_folder_with_an_odd_descriptor_is_checked(
    tmp_path: Path, name: str, make: Make, reason: str
) -> None:
    """One line names it; what lies beside it is checked all the same."""
    folder = tmp_path / "tree"
    write(folder, "calm/catalog-info.yaml", builders.component("calm"))
    make(folder / name)
    make(folder / "values.yaml")
    make(folder / "README.md")
    done = run("validate", folder)
    assert done.exit_code == 1
    assert sorted(done.stdout.splitlines()) == [
        f"error {folder / name}: cannot be read: {reason}",
        f"ok {folder}/calm/catalog-info.yaml: component:default/calm",
    ]


@ODD
def test_an_odd_file_that_is_named_is_an_error(
    tmp_path: Path, make: Make, reason: str
) -> None:
    """As a descriptor, an own kind, a configuration, a file of it, a backup."""
    odd = tmp_path / "odd.yaml"
    make(odd)
    message = f"{odd}: cannot be read: {reason}"
    done = run("validate", odd)
    assert (done.exit_code, done.stdout) == (1, f"error {message}\n")
    good = write(tmp_path, "catalog-info.yaml", builders.component("calm"))
    kinds = run("validate", good, "--kinds", odd)
    assert (kinds.exit_code, " ".join(kinds.stderr.split())) == (2, message)
    checked = run("config", "check", odd)
    assert (checked.exit_code, " ".join(checked.stderr.split())) == (2, message)
    config = tmp_path / "app-config.yaml"
    config.write_text("organization: {name: {$file: odd.yaml}}\n")
    checked = run("config", "check", config)
    assert f"odd.yaml cannot be read: {reason}" in checked.stdout
    data = tmp_path / "data"
    started = run("up", "--data", data, "--config", odd, "--port", "0")
    assert started.exit_code == 1
    assert reason in " ".join(started.stderr.split())
    make(tmp_path / "manifest.json")
    restored = run("restore", tmp_path, "--data", data)
    assert restored.exit_code == 1
    assert reason in " ".join(restored.stderr.split())


@ODD
def test_odd_files_that_a_descriptor_names_are_errors(
    tmp_path: Path, make: Make, reason: str
) -> None:
    """The targets of a Location and the files of placeholders."""
    make(tmp_path / "odd.yaml")
    api = builders.entity(
        "API",
        "petals",
        {
            "type": "openapi",
            "lifecycle": "x",
            "owner": "a",
            "definition": {"$text": "./odd.yaml"},
        },
    )
    location = builders.entity("Location", "all", {"targets": ["./odd.yaml"]})
    done = run("validate", write(tmp_path, "catalog-info.yaml", api, location))
    assert done.exit_code == 1
    assert done.stdout.count("odd.yaml") >= 2
    assert done.stdout.count("error ") == 2
