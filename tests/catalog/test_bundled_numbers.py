"""Numbers of a definition of several files are published as they are written."""

import json
import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from services.catalog.ingest.bundling import bundle_of
from services.portal.definitions.documents import load
from shared.guards.yaml_text import load_yaml

WRITTEN = [
    *("1.10", "1.0", "2.30", "1e3", "1E3", "-0", "-0.50", "1.5e-07", "100", "7"),
    *("12345678901234567890", "-99999999999999999999", "0.10000000000000000001"),
    "9" * 80,
]
#: Numbers of YAML that JSON says otherwise, and what it says.
YAML_ONLY = [
    *(("0x1f", 31), ("0o17", 15), ("+12", 12), (".5", 0.5), ("1.", 1), ("007", 7)),
    *((".inf", None), ("-.INF", None), (".nan", None)),
]
#: What is no number by YAML 1.2: a reader of YAML 1.1 must not take it for one.
TEXTS = ["1_000", "2024-05-01", "2024-05-01T10:00:00Z", "1:30", "0b11", "1.10.0"]


def bundle(version: str, *, root: str = "api.yaml", part: str = "part.yaml") -> str:
    """The bundle of two files that have `version` as it is written here."""
    body = f'{{"openapi": "3.1.0", "info": {{"version": {version} }}, "paths": '
    body += f'{{"/a": {{"$ref": "{part}#/a"}}}}}}'
    bodies = {
        root: body.encode(),
        part: f'{{"a": {{"get": {{"x-since": {version} }}}}}}'.encode(),
    }
    return bundle_of("$openapi", root, bodies, {(root, part): part})


@pytest.mark.parametrize("written", [*WRITTEN, *(text for text, _ in YAML_ONLY)])
def test_yaml_keeps_a_number_as_it_is_written(written: str) -> None:
    """In the root and in the parts; no reader sees anything else than before."""
    text = bundle(written)
    assert f"version: {written}\n" in text
    assert f"x-since: {written}\n" in text
    expected = load_yaml(f"v: {written}", label="")["v"]
    assert load_yaml(text, label="")["info"]["version"] == expected
    # Only libyaml's own words for it differ; no tag is put before the number.
    assert "!!" not in text
    old = yaml.load(text, yaml.CSafeLoader)["info"]["version"]
    assert str(old) == str(yaml.load(written, yaml.CSafeLoader))


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("part", ["part.yaml", "part.json"])
def test_json_keeps_a_number_as_it_is_written(written: str, part: str) -> None:
    """A root that is JSON is published as JSON, whatever its parts are."""
    text = bundle(written, root="api.json", part=part)
    assert f'"version": {written}\n' in text
    whole = json.loads(text, parse_int=str, parse_float=str)
    assert whole["info"]["version"] == written
    assert whole["paths"]["/a"]["get"]["x-since"] == written


@pytest.mark.parametrize(("written", "value"), YAML_ONLY)
def test_json_converts_numbers_that_only_yaml_can_write(
    written: str, value: float | None
) -> None:
    """A YAML part may write numbers in forms that JSON writes differently."""
    whole = json.loads(bundle(written, root="api.json"))
    assert whole["info"]["version"] == value


@pytest.mark.parametrize("written", TEXTS)
def test_texts_like_numbers_stay_texts(written: str) -> None:
    """They are quoted, so that older readers understand the same."""
    text = bundle(written)
    assert load_yaml(text, label="")["info"]["version"] == written
    assert yaml.safe_load(text)["info"]["version"] == written


def test_a_yaml_1_1_file_is_bundled_with_its_numbers() -> None:
    """Texts that only YAML 1.1 reads as numbers are published as those numbers."""
    root = b"%YAML 1.1\n---\nopenapi: '3.1.0'\nx: [1_000, 010, 1:30, 1.10, 0x1f]\n"
    whole = load_yaml(bundle_of("$openapi", "a.yaml", {"a.yaml": root}, {}), label="")
    assert whole["x"] == [1000, 8, 90, 1.1, 31]


def test_a_numeric_key_stays_as_it_is_written() -> None:
    """Releases are keys, too: 1.10 is not 1.1."""
    root = b"openapi: '3.1.0'\nx: {1.1: a, 1.10: b, 200: c, 2.0: d}\n"
    whole = load_yaml(bundle_of("$openapi", "a.yaml", {"a.yaml": root}, {}), label="")
    assert whole["x"] == {"1.1": "a", "1.10": "b", "200": "c", "2.0": "d"}


NUMBERS = r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,20})?([eE][-+]?[0-9]{1,4})?"


@given(st.from_regex(re.compile(NUMBERS, re.ASCII), fullmatch=True))
def test_any_number_is_published_as_it_is_written(written: str) -> None:
    """As YAML and as JSON."""
    assert f"version: {written}\n" in bundle(written)
    assert f'"version": {written}\n' in bundle(written, root="a.json")


@pytest.mark.parametrize("written", ["1.10", "1.0", "20261128", "1e3"])
def test_the_page_shows_the_version_that_is_written(written: str) -> None:
    """The page of an API reads the same text that is published."""
    assert str(load(bundle(written)).get("info")["version"]) == written
