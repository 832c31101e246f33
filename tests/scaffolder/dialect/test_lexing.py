"""The surface of templates: texts, numbers, spaces around tags, other delimiters."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scaffolder.dialect.failure import TemplateRenderError
from services.scaffolder.dialect.limits import SOURCE
from services.scaffolder.dialect.template import TemplateDialect
from tests.scaffolder.dialect.expressions import DIALECT, evaluate, render

STRINGS = [
    (r"'a\nb'", "a\nb"),
    (r"'a\tb'", "a\tb"),
    (r"'a\rb'", "a\rb"),
    (r"'it\'s'", "it's"),
    (r'"say \"x\""', 'say "x"'),
    (r"'back\\slash'", "back\\slash"),
    (r"'\q'", "q"),
    ("'}}'", "}}"),
    ("'%}'", "%}"),
    ("'${{ a }}'", "${{ a }}"),
    ("'two\nlines'", "two\nlines"),
]
NUMBERS = [
    ("0", 0),
    ("007", 7),
    ("1.5", 1.5),
    ("1.", 1),
    ("1.0", 1),
    ("12345678901234567890", 12345678901234567890.0),
]
SPACES = [
    (" ${{ 1 }} ", " 1 "),
    (" ${{- 1 -}} ", "1"),
    ("\n${{- 1 }}\n", "1\n"),
    ("a {%- if 1 %} b {%- endif -%} c", "a bc"),
    ("a {%- set x = 1 -%} b", "ab"),
    ("a {#- c -#} b", "ab"),
    ("a {#- c #} b", "a b"),
    ("a\n\n${{ 1 }}\n\n", "a\n\n1\n\n"),
    ("{%if 1%}a{%endif%}", "a"),
    ("${{1}}", "1"),
    ("${{\n1\n}}", "1"),
]


@pytest.mark.parametrize(("source", "expected"), STRINGS)
def test_text_literals_have_quotes_and_escapes(source: str, expected: str) -> None:
    """Both quotes, and the three escapes that mean something else."""
    assert evaluate(source) == expected


@pytest.mark.parametrize(("source", "expected"), NUMBERS)
def test_number_literals_are_whole_numbers_and_fractions(
    source: str, expected: float
) -> None:
    """The source has no other numbers."""
    assert evaluate(source) == expected


@pytest.mark.parametrize(("source", "expected"), SPACES)
def test_a_dash_trims_the_spaces_on_its_side(source: str, expected: str) -> None:
    """On its own side of the tag alone."""
    assert render(source) == expected


BLOCKS = [
    ({"trim_blocks": True}, "{% if 1 %}\r\na{% endif %}\r\nb", "ab"),
    ({"trim_blocks": True}, "${{ 1 }}\na", "1\na"),
    ({"trim_blocks": True}, "{% raw %}\na{% endraw %}", "a"),
    ({"lstrip_blocks": True}, "a\n\t {% if 1 %}b{% endif %}", "a\nb"),
    ({"lstrip_blocks": True}, "a {% if 1 %}b{% endif %}", "a b"),
    ({"lstrip_blocks": True}, "a\n  ${{ 1 }}", "a\n  1"),
    ({"lstrip_blocks": True}, "${{ 1 }}  {% if 1 %}b{% endif %}", "1  b"),
    (
        {"trim_blocks": True, "lstrip_blocks": True},
        "<\n  {% for i in [1, 2] %}\n  ${{ i }}\n  {% endfor %}\n>",
        "<\n  1\n  2\n>",
    ),
]


@pytest.mark.parametrize(("rules", "source", "expected"), BLOCKS)
def test_block_options_trim_line_ends_and_indentation(
    rules: dict[str, bool], source: str, expected: str
) -> None:
    """`trim_blocks` the line end after a block, `lstrip_blocks` its indentation."""
    assert TemplateDialect(**rules).text(source, {}) == expected


@pytest.mark.parametrize(
    "source", ["plain", "{ { x } }", "$ {{ x }}", "{{ x }}", "100 %", "# {", "${ x }"]
)
def test_text_without_tags_is_returned_unchanged(source: str) -> None:
    """It is not parsed."""
    assert not DIALECT.is_template(source)
    assert render(source) == source


@given(st.text(alphabet=st.characters(exclude_characters="{$\r"), max_size=30))
def test_text_around_an_expression_stays_as_it_is(text: str) -> None:
    """Every character of it, line ends too."""
    assert render(f"{text}${{{{ 1 }}}}{text}") == f"{text}1{text}"


@given(st.text(max_size=30))
def test_any_source_is_rendered_or_an_error_of_the_template(text: str) -> None:
    """Whatever an author writes: never another error."""
    for source in (f"${{{{ {text} }}}}", f"{{% {text} %}}", text):
        with contextlib.suppress(TemplateRenderError):
            assert isinstance(render(source), str)


def test_cookiecutter_has_its_own_braces_and_words() -> None:
    """In its mode the usual braces are text, and Python's constants are known."""
    dialect = TemplateDialect(cookiecutter=True)
    names = {"cookiecutter": {"a": 1, "b": {"x": [1, 1]}}}
    assert dialect.text("${{ cookiecutter.a }}", names) == "$1"
    assert (
        dialect.text("{{ None is none }} {{ True and False }}", names) == "true false"
    )
    source = (
        "{% for k, v in cookiecutter.b.items() %}{{ k }}{{ v.count(1) }}{% endfor %}"
    )
    assert dialect.text(source, names) == "x2"
    assert dialect.text("{{ cookiecutter.keys() | join(',') }}", names) == "a,b"
    assert dialect.text("{{ cookiecutter.values() | length }}", names) == "2"
    assert dialect.text("{{ cookiecutter.get('q') is none }}", names) == "true"
    appended = (
        "{% set x = cookiecutter.b.x.append(2) %}{{ cookiecutter.b.x | jsonify }}"
    )
    assert dialect.text(appended, names) == "[1,1,2]"
    assert names == {"cookiecutter": {"a": 1, "b": {"x": [1, 1]}}}


def test_a_source_that_is_too_long_is_refused() -> None:
    """Before it is read."""
    with pytest.raises(TemplateRenderError, match=f"over {SOURCE} characters"):
        render("${{ 1 }}" + " " * SOURCE)
