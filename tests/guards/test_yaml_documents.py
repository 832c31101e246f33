"""The YAML dialect of descriptors: what values mean, and what is refused."""

import pytest

from shared.contracts.errors import Invalid, TooLarge
from shared.guards.yaml_text import DESCRIPTOR, load_documents
from tests.costs import limit_processor_time


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(word, word) for word in ("yes", "no", "On", "off", "y", "N", "nope", "a b")],
        *[(word, True) for word in ("true", "True", "TRUE")],
        *[(word, False) for word in ("false", "False", "FALSE")],
        *[(word, None) for word in ("", "~", "null", "Null", "NULL", ".inf", ".nan")],
        ("2024-05-01", "2024-05-01"),
        ("2024-05-01T10:00:00Z", "2024-05-01T10:00:00Z"),
        ("12:30:45", "12:30:45"),
        ("0123", 123),
        ("0o17", 15),
        ("0x1f", 31),
        ("1_000", "1_000"),
        ("1e3", 1000),
        ("-.5", -0.5),
        ("1.", 1),
        ("+7", 7),
        ("9" * 30, 1e30),
        ("9" * 5000, None),
        ("'12'", "12"),
        ('"a\\0b"', "a\0b"),
        ("!custom 5", "5"),
        ("!!str 5", "5"),
        ("!!int '5'", 5),
        ("!!float 5", 5),
        ("!!binary aGk=", {"type": "Buffer", "data": [104, 105]}),
        (">-\n  one\n  two\n\n  three", "one two\nthree"),
    ],
)
def test_a_scalar_means_what_yaml_1_2_says(text: str, value: object) -> None:
    """Words, numbers and times have the values of YAML 1.2's core schema."""
    assert load_documents(f"key: {text}".encode()) == [{"key": value}]


def test_yaml_1_1_applies_where_a_document_declares_it() -> None:
    """`%YAML 1.1` brings yes, octal, base 60 and merge keys back, for one document."""
    text = (
        b"%YAML 1.1\n---\nbase: &b {x: 1, w: 9}\nall:\n  <<: *b\n  w: on\n"
        b"  o: 0123\n  t: 12:30:45\n  u: 1_000\n  b: 0b11\n"
        b"...\n---\nw: on\n"
    )
    old, new = load_documents(text)
    assert old["all"] == {"x": 1, "w": True, "o": 83, "t": 45045, "u": 1000, "b": 3}
    assert new == {"w": "on"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("# only a comment\n", []),
        ("---\n---\na: 1\n---\n", [{"a": 1}]),
        ("a: 1\n...\n---\nb: 2\n...\n", [{"a": 1}, {"b": 2}]),
        ("\ufeffa: 1", [{"a": 1}]),
        ("a: 1\r\nb: 2\r\n", [{"a": 1, "b": 2}]),
        ('{"a":{"b":[1,2]},"c":null}', [{"a": {"b": [1, 2]}, "c": None}]),
        ("80: x\ntrue: y\n~: z\n", [{"80": "x", "true": "y", "": "z"}]),
        ("a:\n  <<: {x: 1}\n", [{"a": {"<<": {"x": 1}}}]),
        ("a: &x {b: 1}\nc: *x\n", [{"a": {"b": 1}, "c": {"b": 1}}]),
        ("- a\n- b\n", [["a", "b"]]),
    ],
)
def test_empty_documents_marks_and_line_ends_are_accepted(
    text: str, expected: object
) -> None:
    """Empty documents are skipped; marks, BOM and line ends do not matter."""
    assert load_documents(text.encode()) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"a: 1\na: 2\n", ["unique", "'a'", "line 2, column 1"]),
        (b"a:\n\tb: 1\n", ["line 2, column 1"]),
        (b"a: 1\n---\nb: [\n", ["line 4"]),
        (b"a: x\0y", ["control characters", "line 1, column 5"]),
        (b"a: \xff", ["not UTF-8", "byte 3"]),
        (b"a: &x [*x]", ["*x", "inside of itself"]),
        (b"a: *nobody", ["*nobody", "not defined"]),
        (b"a: &x 1\n---\nb: *x", ["not defined"]),
        (b"? [a]\n: b", ["key", "scalar"]),
        (b"a: !!int many", ["'many'", "line 1"]),
        (b"[" * 101 + b"]" * 101, ["nested deeper than 100"]),
        (b"{a: " * 5000, ["nested deeper than 100"]),
        (b"a: &x [1]\nb: [" + b"*x, " * 101 + b"]", ["too many aliases"]),
    ],
)
def test_yaml_errors_name_rule_line_and_column(text: bytes, words: list[str]) -> None:
    """Where the error has a position."""
    with pytest.raises(Invalid) as raised:
        load_documents(text)
    assert all(word in raised.value.message for word in words), raised.value.message


def test_a_hundred_aliases_of_an_anchor_are_accepted() -> None:
    """The limit on aliases does not affect ordinary files."""
    [document] = load_documents(b"a: &x [1]\nb: [" + b"*x, " * 100 + b"]")
    assert document["b"] == [[1]] * 100


def test_nested_aliases_are_refused_before_expansion() -> None:
    """They are refused long before they are expanded."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 30):
        refs = ", ".join([f"*a{level - 1}"] * 9)
        lines.append(f"a{level}: &a{level} [{refs}]")
    with limit_processor_time(10), pytest.raises(Invalid, match="too many aliases"):
        load_documents("\n".join(lines).encode())


def test_the_expanded_size_of_aliases_is_limited() -> None:
    """All aliases of a file together."""
    wide = ", ".join(["x"] * 3000)
    text = f"a: &a [{wide}]\nb: [" + ", ".join(["*a"] * 90) + "]"
    with pytest.raises(Invalid, match="too many aliases"):
        load_documents(text.encode())


def test_a_file_over_the_limit_is_not_parsed() -> None:
    """The limit is 10 MB; the error names it."""
    with pytest.raises(TooLarge, match=str(DESCRIPTOR.size)):
        load_documents(b" " * (DESCRIPTOR.size + 1))
