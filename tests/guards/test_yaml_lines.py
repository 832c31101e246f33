"""Where the fields of a YAML text stand."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.guards.yaml_lines import DocumentLines, locate
from shared.guards.yaml_text import dump_yaml, load_documents

TEXT = """\
# A note.
kind: Component
metadata:
  name: &name web
  annotations:
    a.dev/x.y: one
    a.dev/x:
      y: two
  tags: [one,
    two]
  links:
  - url: x

    title: y
---
# nothing
---
spec: &spec
  steps:
  - - deep: 1
  - {if: x,
     each: y}
other: *spec
"quoted key": |
  text
"""


@pytest.mark.parametrize(
    ("document", "path", "line"),
    [
        (0, "kind", 2),
        (0, "metadata.name", 4),
        (0, "metadata.annotations.a.dev/x.y", 6),
        (0, "metadata.annotations.a.dev/x", 7),
        (0, "metadata.tags.0", 9),
        (0, "metadata.tags.1", 10),
        (0, "metadata.links.0", 12),
        (0, "metadata.links.0.title", 14),
        # What is absent is missed where it would stand.
        (0, "metadata.links.0.icon", 12),
        (0, "metadata.links.4.url", 11),
        (0, "metadata.title", 3),
        (0, "spec.owner", None),
        (0, "no path", None),
        (0, "", None),
        (1, "spec.steps.0.0.deep", 20),
        (1, "spec.steps.1.each", 22),
        (1, "other", 23),
        (1, "other.steps.1.if", 21),
        (1, "quoted key", 24),
    ],
)
def test_the_line_of_a_field_is_found_by_its_path(
    document: int, path: str, line: int | None
) -> None:
    """The names of a path may have dots; empty documents do not count."""
    start_line = [2, 18][document]
    assert locate(TEXT, {document: [path]}) == {
        document: DocumentLines(start_line, (line,))
    }


KEYS = st.text("ab.", min_size=1, max_size=3)
VALUES = st.recursive(
    st.integers(-99, 99) | st.text("a: '\n-", max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.lists(st.dictionaries(KEYS, VALUES, min_size=1), min_size=1, max_size=3))
def test_the_line_of_every_field_is_found(documents: list[dict[str, Any]]) -> None:
    """Its name begins the line that is given."""
    text = "".join(f"---\n{dump_yaml(entry)}" for entry in documents)
    assert load_documents(text) == documents
    fields = {number: list(entry) for number, entry in enumerate(documents)}
    located = locate(text, fields)
    rows = text.splitlines()
    for document, lines in zip(documents, located.values(), strict=True):
        for name, line in zip(document, lines.fields, strict=True):
            assert line is not None
            [key] = load_documents(f"{rows[line - 1].partition(':')[0]}: 1")
            # A name with dots may lead into another field of a shorter name.
            assert name.startswith(next(iter(key)))


def test_lines_of_many_documents_cost_little() -> None:
    """Nothing is stored for documents without errors."""
    one = "kind: Component\nmetadata:\n  name: web\n  tags: [a, b]\nspec: {x: 1}\n"
    text = "---\n".join([one] * 10_000)
    started_at = time.process_time()
    load_documents(text)
    reading = time.process_time() - started_at
    started_at = time.process_time()
    lines = locate(text, {9_999: ["metadata.name"]})
    assert time.process_time() - started_at < reading * 6
    assert lines == {9_999: DocumentLines(9_999 * 6 + 1, (9_999 * 6 + 3,))}


def test_only_requested_documents_have_lines() -> None:
    """Empty ones do not count in the positions."""
    text = "---\n---\na: 1\n---\nb: 2\n---\nc: 3\n---\nd: 4\n"
    assert locate(text, {0: ["a"], 2: []}) == {
        0: DocumentLines(3, (3,)),
        2: DocumentLines(7),
    }
    assert locate(text, {}) == {}
