"""Precedence: Nunjucks writes expressions out as JavaScript, which decides it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scaffolder.dialect.failure import TemplateRenderError
from tests.scaffolder.dialect.expressions import evaluate

#: An expression, and the same with all its parentheses.
GROUPS = [
    ("1 + 2 * 3", "1 + (2 * 3)"),
    ("2 * 3 + 1", "(2 * 3) + 1"),
    ("10 - 4 - 3", "(10 - 4) - 3"),
    ("100 / 10 / 5", "(100 / 10) / 5"),
    ("100 / 10 * 5", "(100 / 10) * 5"),
    ("17 % 10 % 4", "(17 % 10) % 4"),
    ("17 % 10 * 3", "(17 % 10) * 3"),
    ("2 ** 3 ** 2", "(2 ** 3) ** 2"),
    ("-2 ** 2", "(-2) ** 2"),
    ("2 * 3 ** 2", "2 * (3 ** 2)"),
    ("7 // 2 * 2", "(7 // 2) * 2"),
    ("2 * 7 // 2", "2 * (7 // 2)"),
    ("7 // 2 // 2", "(7 // 2) // 2"),
    ("29 // 3 % 5", "((29 / 3) % 5) // 1"),
    ("29 % 10 // 4", "((29 % 10) / 4) // 1"),
    ("1 ~ 2 + 3", "(1 ~ 2) + 3"),
    ("1 + 2 ~ 3", "(1 + 2) ~ 3"),
    ("5 - 2 ~ 3", "(5 - 2) ~ 3"),
    ("1 ~ 2 * 3", "1 ~ (2 * 3)"),
    ("1 + 1 == 2", "(1 + 1) == 2"),
    ("1 < 2 == true", "(1 < 2) == true"),
    ("true == 1 < 2", "true == (1 < 2)"),
    ("3 > 2 > 1", "(3 > 2) > 1"),
    ("1 == 1 != 0", "(1 == 1) != 0"),
    ("not 1 == 2", "(not 1) == 2"),
    ("not 1 + 1", "(not 1) + 1"),
    ("not true and false", "(not true) and false"),
    ("not 'a' in ['b']", "not ('a' in ['b'])"),
    ("1 or 0 and 0", "1 or (0 and 0)"),
    ("0 and 0 or 1", "(0 and 0) or 1"),
    ("1 in [1] and 2 in [2]", "(1 in [1]) and (2 in [2])"),
    ("1 + 1 in [2]", "(1 + 1) in [2]"),
    ("2 == 2 in [true]", "(2 == 2) in [true]"),
    ("'b' ~ 'c' in 'abc'", "('b' ~ 'c') in 'abc'"),
    ("1 is odd and 2 is even", "(1 is odd) and (2 is even)"),
    ("1 + 1 is even", "(1 + 1) is even"),
    ("1 if 0 else 2 or 3", "1 if 0 else (2 or 3)"),
    ("1 or 5 if 1 else 2", "(1 or 5) if 1 else 2"),
    ("-1 | abs", "(-1) | abs"),
    ("1 + -2 | abs", "1 + ((-2) | abs)"),
    ("'a' ~ 'b' | upper", "'a' ~ ('b' | upper)"),
    ("2 ** 3 | string", "2 ** (3 | string)"),
    ("[1, 2] | length + 1", "([1, 2] | length) + 1"),
    ("-[3][0]", "-([3][0])"),
]


@pytest.mark.parametrize(("expression", "grouped"), GROUPS)
def test_operators_group_as_in_javascript(expression: str, grouped: str) -> None:
    """The same value with and without the parentheses."""
    try:
        expected = evaluate(grouped)
    except TemplateRenderError:
        with pytest.raises(TemplateRenderError):
            evaluate(expression)
    else:
        assert evaluate(expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("2 ** 3 ** 2", 64),
        ("-2 ** 2", 4),
        ("29 // 3 % 5", 4),
        ("29 % 10 // 4", 2),
        ("1 + 2 ~ 3", "33"),
        ("1 ~ 2 + 3", "123"),
        ("not 1 == 2", False),
        ("not 1 + 1", 1),
        ("3 > 2 > 1", False),
    ],
)
def test_surprising_groupings_equal_nunjucks(expression: str, expected: object) -> None:
    """Expressions that other languages group differently."""
    assert evaluate(expression) == expected


OPERANDS = st.integers(0, 9).map(str)
SIGNS = st.sampled_from(["+", "-", "*"])
CHAINS = st.lists(st.tuples(SIGNS, OPERANDS), max_size=8)


@given(OPERANDS, CHAINS)
def test_sums_and_products_equal_pythons(
    first: str, chain: list[tuple[str, str]]
) -> None:
    """Where both languages agree, the dialect agrees with both."""
    source = first + "".join(f" {sign} {operand}" for sign, operand in chain)
    assert evaluate(source) == eval(source)


BOOLEANS = st.recursive(
    st.sampled_from(["true", "false"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(" and ".join),
        st.tuples(inner, inner).map(" or ".join),
        inner.map("(not ({}))".format),
        inner.map("({})".format),
    ),
    max_leaves=8,
)


@given(BOOLEANS)
def test_logic_equals_pythons(source: str) -> None:
    """`and` before `or`, whatever stands around them."""
    python = source.replace("true", "True").replace("false", "False")
    assert evaluate(source) is eval(python)


@pytest.mark.parametrize(
    "expression",
    ["1 if 1 else 2 if 0 else 3", "1 +", "* 2", "1 2", "a b", "not", "1 ==="],
)
def test_malformed_expressions_are_errors_with_their_place(expression: str) -> None:
    """The error has the line and the column."""
    with pytest.raises(TemplateRenderError, match=r"line 1, column \d+: "):
        evaluate(expression)
