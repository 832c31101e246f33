"""Pointers of Git LFS in place of a descriptor or of an included file."""

from pathlib import Path

import pytest

from deploy.cli.validation import check_path
from tests import builders
from tests.catalog.running import write

ADVICE = "the file is stored in Git LFS, which is not read: commit without LFS"


@pytest.mark.parametrize("name", ["$text", "$json", "$yaml", "$openapi"])
def test_an_included_pointer_is_an_error_that_names_it(
    tmp_path: Path, name: str
) -> None:
    """However often and by whatever name the file is included."""
    (tmp_path / "spec.yaml").write_bytes(builders.LFS_POINTER)
    names = {"one": "$text", "two": name}
    apis = [
        builders.api(api, definition={placeholder: "./spec.yaml"})
        for api, placeholder in names.items()
    ]
    findings = check_path(write(tmp_path, "catalog-info.yaml", *apis))
    for finding, placeholder in zip(findings, names.values(), strict=True):
        expected = f"placeholder {placeholder} ./spec.yaml: {ADVICE}"
        assert expected in str(finding.error)


def test_a_pointer_in_a_definition_of_several_files_is_an_error(tmp_path: Path) -> None:
    """With the name of the file that refers to it."""
    (tmp_path / "part.yaml").write_bytes(builders.LFS_POINTER)
    write(tmp_path, "a.yaml", "openapi: 3.0.3\npaths: {$ref: './part.yaml'}\n")
    api = builders.api(definition={"$openapi": "a.yaml"})
    [finding] = check_path(write(tmp_path, "catalog-info.yaml", api))
    assert finding.error is not None
    assert f"a.yaml refers to ./part.yaml: {ADVICE}" in finding.error


def test_a_descriptor_that_is_a_pointer_is_an_error(tmp_path: Path) -> None:
    """It says what to do, not what YAML it lacks."""
    path = tmp_path / "catalog-info.yaml"
    path.write_bytes(builders.LFS_POINTER)
    [finding] = check_path(path)
    assert finding.error == ADVICE
