"""Bombs of YAML: refused within their limits, before they are large."""

from collections.abc import Callable

import pytest

from shared.contracts.errors import CallboardError, Invalid, TooLarge
from shared.guards.yaml_text import (
    DESCRIPTOR,
    FIELD,
    YamlLimits,
    load_documents,
    load_yaml,
)
from tests.costs import limit_processor_time

KB = 1024


def _levels(count: int, width: int, merge: bool = False) -> str:
    lines = ["l0: &l0 {k: [x, x]}"]
    for level in range(1, count):
        names = ",".join([f"*l{level - 1}"] * width)
        body = f"{{<<: [{names}], k{level}: 1}}" if merge else f"{{k: [{names}]}}"
        lines.append(f"l{level}: &l{level} {body}")
    return "\n".join(lines)


BOMBS: dict[str, Callable[[], str]] = {
    "aliases": lambda: _levels(30, 9),
    "merges": lambda: _levels(12, 50, merge=True),
    "two by two": lambda: _levels(60, 2),
    "a large text by its aliases": lambda: (
        f"a: &a {'x' * 500 * KB}\nb: [{','.join(['*a'] * 90)}]"
    ),
    "depth of lists": lambda: "[" * 500_000,
    "depth of mappings": lambda: "{a: " * 100_000,
    "depth of blocks": lambda: "".join(f"{' ' * n}a:\n" for n in range(3000)),
    "depth of keys": lambda: "? " * 20_000,
    "elements": lambda: "[" + "a," * 1_200_000 + "]",
    "bytes": lambda: "!!binary " + "A" * 8_000_000,
}


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("name", BOMBS)
def test_yaml_bombs_are_refused(name: str, old: bool) -> None:
    """In both versions of YAML, with an error that names the text."""
    text = BOMBS[name]()
    refusal = r"^report: YAML error: "
    with limit_processor_time(20), pytest.raises(Invalid, match=refusal):
        load_yaml(text, label="report", old=old)


@pytest.mark.parametrize(
    "text",
    [
        ":".join(["59"] * 500_000),
        "9" * 3_000_000,
        "0x" + "f" * 3_000_000,
        "1e99999",
        "0b" + "1" * 1_000_000,
        "1:59:59:59:59:59:59:59:59:59:59:59:59",
    ],
)
@pytest.mark.parametrize("old", [True, False])
def test_numbers_are_read_in_linear_time(text: str, old: bool) -> None:
    """No number exceeds the range of JSON, and none takes quadratic time."""
    with limit_processor_time(5):
        value = load_yaml(text, label="number", old=old)
    assert not isinstance(value, int) or abs(value) < 2**63


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("text", ["._", ".__", "-._", "+.", ".e5", "-.e5", "._1", "."])
def test_points_without_digits_are_read_as_text(text: str, old: bool) -> None:
    """A text that only begins like a number is no number, and no error."""
    assert load_yaml(f"a: {text}", label="x", old=old) == {"a": text}


def test_a_form_field_has_smaller_limits() -> None:
    """A typed text is at most one page long."""
    with pytest.raises(TooLarge, match="answer: YAML of 20001 bytes, at most 20000"):
        load_yaml("x" * 20_001, label="answer", limits=FIELD)
    with pytest.raises(Invalid, match=r"answer: .*elements"):
        load_yaml("[" + "a," * 2_001 + "]", label="answer", limits=FIELD)
    with pytest.raises(Invalid, match="nested deeper than 20"):
        load_yaml("[" * 21, label="answer", limits=FIELD)


def test_a_single_document_is_required_for_one_value() -> None:
    """An empty text is no value; several documents are an error that counts them."""
    assert load_yaml("", label="x") is None
    assert load_yaml("---\n---\na: 1", label="x") == {"a": 1}
    with pytest.raises(Invalid, match="settings: holds 2 YAML documents"):
        load_yaml("a: 1\n---\nb: 1", label="settings")


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\n---\nb: 1",
        "a: [",
        "a: 1\na: 2",
        "a: \ud800",
        "[" * 30,
        "[" + "a," * 3_000 + "]",
        "x" * 20_001,
        "a: *nowhere",
    ],
)
def test_an_error_of_a_text_without_a_label_begins_with_a_word(text: str) -> None:
    """Its page says already which text it is."""
    with pytest.raises(CallboardError) as error:
        load_yaml(text, label="", limits=FIELD)
    assert error.value.message[0].isalnum()


def test_dates_and_half_surrogates_are_texts_or_errors() -> None:
    """Neither becomes a value that JSON cannot hold."""
    assert load_yaml("a: 2024-01-01", label="x", old=True) == {"a": "2024-01-01"}
    with pytest.raises(CallboardError):
        load_yaml("a: \ud800", label="x")
    with pytest.raises(CallboardError):
        load_yaml('a: "\\ud800"', label="x")


def test_a_tag_reader_converts_foreign_tags() -> None:
    """Tags that are not YAML's own go to the reader, which may refuse them."""

    def read_tag(tag: str, value: object) -> object:
        if tag != "!upper":
            raise ValueError(f"the tag {tag} is not known here")
        return [str(item).upper() for item in value]  # type: ignore[attr-defined]

    text = "a: !upper [x, y]\nb: !!str 5\nc: !!map {d: 1}"
    assert load_yaml(text, label="x", read_tag=read_tag) == {
        "a": ["X", "Y"],
        "b": "5",
        "c": {"d": 1},
    }
    with pytest.raises(Invalid, match=r"x: .*!other is not known here at line 2"):
        load_yaml("a: 1\nb: !other x", label="x", read_tag=read_tag)
    with pytest.raises(Invalid, match=r"python/name:os\.system is not known"):
        load_yaml("!!python/name:os.system x", label="x", read_tag=read_tag)


def test_aliases_within_the_limits_are_read() -> None:
    """A file that repeats a block a few times is an ordinary one."""
    limits = YamlLimits(expansion=60)
    text = "a: &a {x: 1}\nb: [" + "*a, " * 20 + "]"
    [document] = load_documents(text, limits=limits)
    assert document["b"] == [{"x": 1}] * 20


def test_the_number_of_documents_of_a_file_is_limited() -> None:
    """The first document over the limit is an error, and no later one is read."""
    limits = YamlLimits(documents=100)
    document = "---\na: 1\n"
    assert len(load_documents(document * 100, limits=limits)) == 100
    with pytest.raises(Invalid, match=r"over 100 documents at line 201, column 1"):
        load_documents(document * 101 + "a: [broken", limits=limits)
    with limit_processor_time(10), pytest.raises(Invalid, match="over 50000 documents"):
        load_documents(document * DESCRIPTOR.documents * 10)
