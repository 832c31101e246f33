"""A text that is not YAML is refused with the way to mend it."""

import pytest

from shared.contracts.errors import Invalid
from shared.guards.yaml_text import load_documents

BROKEN = [
    ("a: 1\n\tb: 2\n", "indent with spaces, not with tabs"),
    ("a:\n\tb: 1\n", "indent with spaces, not with tabs"),
    ("owner: @harbour\n", "a text that begins with @ needs quotes"),
    ("say: `pier`\n", "a text that begins with ` needs quotes"),
    ("say: Pier: three\n", "a text with ': ' in it needs quotes"),
    ("a: pier\n   b: x\n", "indented too far"),
    (
        "a: 1\nb: [pier,\n quay\nc: x\n",
        "the bracket opened at line 2, column 4 is not closed",
    ),
    ("a: 1\nb: [\n", "the bracket opened at line 2, column 4 is not closed"),
    ("a: {b: c,\n d: [e\n", "the bracket opened at line 2, column 5 is not closed"),
    (
        "a: {pier: 1, quay: [2}\n",
        "the bracket opened at line 1, column 20 is not closed",
    ),
    ("a: 'pier\n", "the quote opened at line 1, column 4 is not closed"),
    ('a: 1\nb: "x\nc: y\nd: z\n', "the quote opened at line 2, column 4 is not closed"),
    ("a: 'x\n---\nb: 1\n", "the quote opened at line 1, column 4 is not closed"),
    (
        'a: "pier\nb: 2\nc:\n  - d: "1"\n',
        "the quote opened at line 1, column 4 ends in this line, is one missing?",
    ),
    (
        "a: [x, 'pier\n  quay, 'b']\n",
        "the quote opened at line 1, column 8 ends in this line, is one missing?",
    ),
    ("a: {{ name }}\n", "a text that begins with {{ needs quotes"),
    ("a: b\nc: {{ x | y }}-z\n", "a text that begins with {{ needs quotes"),
    ("- [{{x}}]\n", "a text that begins with {{ needs quotes"),
    ("a:\n  b: 1\n c: 2\n", "is indented unlike the others"),
    ("a: 'it's'\n", "inside of it ' is written ''"),
    ("a: {b: 'it's'}\n", "inside of it ' is written ''"),
    ("- 'it's'\n", "inside of it ' is written ''"),
    ('a: "say "hi" now"\n', 'inside of it " is written \\"'),
    ("a: 'x'\n  b: 1\n", "is indented unlike the others"),
    ("<<<<<<< ours\na: 1\n=======\na: 2\n>>>>>>> theirs\n", "a merge conflict is left"),
]


@pytest.mark.parametrize(("text", "advice"), BROKEN)
def test_yaml_errors_say_how_to_correct_the_text(text: str, advice: str) -> None:
    """After the rule, the line and the column."""
    with pytest.raises(Invalid) as raised:
        load_documents(text)
    rule, place, rest = raised.value.message.partition(" at line ")
    assert rule.startswith("YAML error: ")
    assert place
    assert advice in rest


def test_a_yaml_error_without_a_hint_ends_with_its_position() -> None:
    """Line and column are the end of the message."""
    with pytest.raises(Invalid, match=r"at line 1, column \d+$"):
        load_documents("a: *nothing\n")
