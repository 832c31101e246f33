"""What libyaml reads otherwise than YAML 1.2 and the package that Backstage uses."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.errors import Invalid
from shared.guards.yaml_events import parseable
from shared.guards.yaml_lines import locate
from shared.guards.yaml_text import load_documents
from tests.costs import limit_processor_time


@pytest.mark.parametrize(
    "sign", ["\u2028", "\u2029", "\u0085", "\x07", "\x08", "\x0b", "\x7f", "\x9f"]
)
def test_unusual_unicode_separators_are_text(sign: str) -> None:
    """Neither line ends nor errors: in texts, blocks, quotes and comments."""
    texts = {
        f"a: one{sign}two\nb: 1\n": {"a": f"one{sign}two", "b": 1},
        f'a: "x{sign}  y"\n': {"a": f"x{sign}  y"},
        f"a: |\n  x{sign}y\n  z\n": {"a": f"x{sign}y\nz\n"},
        f"# x{sign}a: 1\nb: 1\n": {"b": 1},
    }
    for text, value in texts.items():
        assert load_documents(text) == [value]


def test_private_use_characters_are_kept() -> None:
    """The reader's own placeholders do not replace those of a text."""
    mine = "\U0010f801"
    assert load_documents(f"a: x{mine}y\n") == [{"a": f"x{mine}y"}]
    with pytest.raises(Invalid, match="control characters"):
        load_documents(f"a: x{mine}\x07\n")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a:\n  b: c\n\t\n  d: e\n", {"a": {"b": "c", "d": "e"}}),
        ("a:\r\n  b: c\r\n \t \r\n  d: e\r\n", {"a": {"b": "c", "d": "e"}}),
        ("a:\n  - b\n  \t\n  - c\n\t", {"a": ["b", "c"]}),
        ("a:\n\t# x\n\t#y\n\n \t# z\n  b: c\n", {"a": {"b": "c"}}),
        ("a: 1\n\t# x\nb: |\n  y\n  \tz\n", {"a": 1, "b": "y\n\tz\n"}),
        ("%YAML 1.3\n---\na: yes\n", {"a": "yes"}),
        ("%FOO bar\n%YAML 1.2\n---\na: 1\n", {"a": 1}),
    ],
)
def test_blank_lines_and_unknown_directives_are_ignored(
    text: str, value: object
) -> None:
    """Blank lines and comments behind tabs, and unknown directives."""
    assert load_documents(text) == [value]
    assert locate(text, {0: ["a"]})[0].fields != (None,)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a:\n\tb: 1\n", 2),
        ("a: b\n\tc\n", 2),
        ("a:\n\t- b\n", 2),
        ("\t\na:\n\tb: 1\n", 3),
    ],
)
def test_tabs_as_indentation_are_refused(text: str, line: int) -> None:
    """The error names the line."""
    with pytest.raises(Invalid, match=f"line {line}"):
        load_documents(text)


def test_thousands_of_lines_with_tabs_are_read_in_linear_time() -> None:
    """Comments behind tabs are handled in one pass."""
    for line in ("\t# x\n", "\t\n", "\t" * 50 + "\n"):
        text = f"a:\n{line * (200_000 // len(line))}  b: 1\n"
        with limit_processor_time(1):
            assert load_documents(text) == [{"a": {"b": 1}}]


@given(st.text(alphabet=" \t#\n\ra:-%|", max_size=60))
def test_text_that_libyaml_reads_is_not_changed(text: str) -> None:
    """A text is only adapted where libyaml cannot read it."""
    try:
        list(yaml.parse(text, Loader=yaml.CSafeLoader))
    except yaml.YAMLError:
        assert len(parseable(text)) == len(text)
    else:
        assert parseable(text) == text
