"""What is written as YAML: read back equal by the catalog, and by older readers."""

import io
import math

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.errors import Invalid
from shared.guards.yaml_text import dump_yaml, load_yaml

#: Texts that one YAML reader or another takes for something else.
TEXTS = [
    *("00891", "81111e1", "0o17", "08", "1e3", "0192118", "5319e7", "0x1F", "1_000"),
    *("-0o7", "+12", ".5", "1.", "1.0", "0b11", "1:30", "12:30:45", "+.inf", ".nan"),
    *("yes", "no", "On", "off", "y", "N", "true", "False", "null", "Null", "~", ""),
    *("2024-05-01", "2024-05-01T10:00:00Z", "2020-13-45", "=", "<<", "-", "?", "!x"),
    *("# a", "a: b", "a #b", "*a", "&a", "@a", "`a", "%a", "[a", "{a", "- a", " a "),
    *("a\nb", "a\n", "\na", "  a\n b", "a\r\nb", "\t", "a\tb", "a\u2028b", "\x85"),
    *("\ufeffa", "\U0001f600", "a" * 300, "\x00", "---", "...", "'", '"', "\\"),
]


@pytest.mark.parametrize("blocks", [True, False])
@pytest.mark.parametrize("text", TEXTS)
def test_written_texts_are_read_back_as_texts(text: str, blocks: bool) -> None:
    """As a value, an item and a key, for readers of YAML 1.2 and of 1.1."""
    value = {"value": text, "items": [text], "keys": {text: 1}}
    written = dump_yaml(value, blocks=blocks)
    assert load_yaml(written, label="x") == value
    assert load_yaml(written, label="x", old=True) == value
    assert yaml.safe_load(written) == value
    assert yaml.load(io.StringIO(written), yaml.CSafeLoader) == value


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON, st.booleans())
@settings(max_examples=400, deadline=None)
def test_any_json_value_is_read_back_equal(value: object, blocks: bool) -> None:
    """Whatever the texts, keys and numbers, in both versions of YAML."""
    written = dump_yaml(value, blocks=blocks)
    assert load_yaml(written, label="x") == value
    assert load_yaml(written, label="x", old=True) == value


def test_plain_texts_are_not_quoted() -> None:
    """Only what could be misread carries quotes: files stay as people write them."""
    value = {
        "name": "payments",
        "owner": "group:default/a",
        "title": "Two words",
        "count": 1,
    }
    assert dump_yaml(value) == (
        "name: payments\nowner: group:default/a\ntitle: Two words\ncount: 1\n"
    )


def test_values_that_json_cannot_hold_are_written_as_null() -> None:
    """As JavaScript's JSON writes them."""
    assert load_yaml(dump_yaml([math.inf, math.nan]), label="x") == [None, None]


def test_the_written_size_of_shared_values_is_limited() -> None:
    """A value that would be gigabytes of text, or endless, is refused at once."""
    value: list[object] = []
    endless = [value]
    for _ in range(30):
        value = [value, value]
    with pytest.raises(Invalid, match="report: more than"):
        dump_yaml(value, label="report")
    endless.append(endless)  # type: ignore[arg-type]
    with pytest.raises(Invalid, match="report: "):
        dump_yaml(endless, label="report")
