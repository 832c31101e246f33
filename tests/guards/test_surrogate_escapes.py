"""Surrogate pairs in double quotes, as JSON writes what lies beyond 16 bits."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.errors import Invalid
from shared.guards.yaml_lines import locate
from shared.guards.yaml_text import load_documents, load_yaml
from tests.costs import limit_processor_time

ROCKET = r"\ud83d\ude80"


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.tuples(inner)))
def test_every_text_that_json_writes_is_read(value: object) -> None:
    """With its escapes of two halves, in lists and as names."""
    written = json.dumps(value)
    assert load_yaml(written, label="x") == json.loads(written)


@pytest.mark.parametrize("control", ["", "\x07"])
@pytest.mark.parametrize(
    ("text", "value"),
    [
        (rf'a: "{ROCKET}{ROCKET}x"', {"a": "🚀🚀x"}),
        (rf'"{ROCKET}": "\n{ROCKET}"', {"🚀": "\n🚀"}),
        (r'a: "\uD83D\uDe80"', {"a": "🚀"}),
        (r'a: "\\ud83d\\ude80"', {"a": ROCKET}),
        (rf'a: "\\{ROCKET}"', {"a": "\\🚀"}),
        (rf"a: '{ROCKET}'", {"a": ROCKET}),
        (r"a: x \uD83d\uDe8A y", {"a": r"x \uD83d\uDe8A y"}),
        (rf"a: |-{chr(10)}  \\{ROCKET}", {"a": rf"\\{ROCKET}"}),
        (rf'a: 1 # "{ROCKET}"', {"a": 1}),
    ],
)
def test_pairs_are_escapes_in_double_quotes_only(
    text: str, value: object, control: str
) -> None:
    """Elsewhere, and after a backslash that is escaped, they are text as written."""
    ending = f"# {control}" if control else ""
    assert load_documents(f"{text}\n{ending}\n") == [value]


@pytest.mark.parametrize(
    "text", [r"\ud83d", r"\ude80", r"\ude80\ud83d", r"\ud83d\\ude80"]
)
def test_half_a_pair_is_refused_at_its_place(text: str) -> None:
    """Beside a whole pair too."""
    with pytest.raises(Invalid, match=r"invalid Unicode .*line 2, column 19"):
        load_documents(f'a: 1\nb: "{ROCKET}{text}"\n')


def test_errors_after_a_pair_name_the_right_place() -> None:
    """The line of a field, the column of an error, and the advice."""
    with pytest.raises(Invalid, match="line 1, column 23: the bracket opened at "):
        load_documents(f'["{ROCKET}", {{a: 1]')
    lines = locate(f'a: "{ROCKET}"\nb: "{ROCKET}"\n', {0: ["b"]})
    assert lines[0].fields == (2,)


def test_characters_for_private_use_are_kept_beside_pairs() -> None:
    """A text that holds the reader's own placeholders is never changed."""
    for mine in ("\U0010f801", "\U0010f8f1", r"\U0010F8F1"):
        with pytest.raises(Invalid, match="invalid Unicode"):
            load_documents(f'a: "{mine}{ROCKET}"\n')


def test_many_pairs_are_read_in_linear_time() -> None:
    """Long rows of pairs and of backslashes."""
    with limit_processor_time(3):
        assert load_documents('"' + ROCKET * 200_000 + '"') == ["🚀" * 200_000]
        assert load_documents('"' + "\\" * 1_000_000 + ROCKET + '"')
