"""Two long texts, or many of them: looking for one in another and comparing them.

They are alike but for one letter, at the place where it is noticed last.
"""

import contextlib

import pytest

from services.scaffolder.dialect import limits
from services.scaffolder.dialect.failure import TemplateLimitError, TemplateRenderError
from services.scaffolder.dialect.limits import OPERAND, RenderingBudget
from tests.costs import limit_processor_time
from tests.scaffolder.dialect.test_costs import DIALECT
from tests.scaffolder.dialect.test_turns import LongestStretch

#: Far above what is measured (0.02 and 0.5 s), far below what it was (up to minutes).
STRETCH = 0.25
SECONDS = 4.0
LONG = " " * OPERAND
SHARE = 8
SEARCHES = [
    "s.indexOf(n)", "s.lastIndexOf(n)", "s.includes(n)", "n in s", "s.split(n)[0]",
    "s.replace(n, 'x')", "s | replace(n, 'x')", "s.startsWith(n)", "s.endsWith(n)",
]  # fmt: skip
COMPARISONS = [
    "N.sort()", "N | sort", "N | sort(true, true)", "rows | sort(false, true, 'a')",
    "rows | groupby('a')", "N.indexOf(other)", "N.lastIndexOf(other)",
    "N.includes(other)", "other in N", "N | select('eq', other)",
    "N | reject('ne', other)", "N | select('lt', other)", "N | select('ge', other)",
    "N | select('lower')", "N | reject('upper')", "N | select('even')",
    "digits | sort(false, true)", "digits | select('divisibleby', 7)",
    "d | dictsort(true, 'value')",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _small_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "READ", limits.READ // SHARE)


def cost_of(expression: str, context: dict[str, object]) -> float:
    """The longest stretch of an expression that is answered, or refused, in time."""
    source = f"{{% set made = {expression} %}}x"
    with limit_processor_time(SECONDS), contextlib.suppress(TemplateRenderError):
        DIALECT.text(source, context)
    with LongestStretch() as stretch, contextlib.suppress(TemplateRenderError):
        DIALECT.text(source, context)
    return stretch.seconds


@pytest.mark.parametrize("size", [500_000, OPERAND - 2_000])
@pytest.mark.parametrize("expression", SEARCHES)
def test_searching_a_long_text_in_another_is_fast(expression: str, size: int) -> None:
    """Wherever the letter is that differs."""
    for needle in (" b" + " " * size, " " * size + "b ", "  ".join(("b", " " * size))):
        assert cost_of(expression, {"s": LONG, "n": needle[: size + 2]}) < STRETCH


@pytest.mark.parametrize("expression", COMPARISONS)
def test_comparing_many_long_texts_is_charged(expression: str) -> None:
    """Texts of a megabyte, some thousand times."""
    long = "9" * (OPERAND - 10)
    texts = [f"{long}{number * 7 % 9}" for number in range(9)]
    # Copies: what is the same object is equal without a look at it.
    pairs = [f"{text}"[:1] + text[1:] for text in texts] + texts
    context = {
        "N": texts * 1_500,
        "digits": [*texts, 5] * 1_000,
        "rows": [{"a": text} for text in pairs] * 800,
        "d": {f"k{number}": text for number, text in enumerate(texts * 1_500)},
        "other": f"{long}x",
    }
    assert cost_of(expression, context) < STRETCH


def test_a_refused_sort_names_the_reason() -> None:
    """The characters that are compared are counted, not the items."""
    texts = ["x" * (OPERAND - 1) + letter for letter in "cab"] * 1_000
    with pytest.raises(TemplateLimitError, match="characters are looked at"):
        DIALECT.value("${{ texts.sort() | length }}", {"texts": texts})


def test_lists_are_sorted_by_text_and_in_place() -> None:
    """Equal ones keep their order."""
    values = {"l": [10, 9, "b", None, "a", 1]}
    assert DIALECT.value("${{ l.sort() }}", values) == [1, 10, 9, "a", "b", None]
    assert DIALECT.value("{% set x = l.sort() %}${{ l[0] }}", values) == "1"


@pytest.mark.parametrize(
    "source", ["${{ 1 }}", "one ${{ 1 }}", "{% if 1 %}1{% endif %}"]
)
def test_a_result_after_the_time_limit_is_an_error(source: str) -> None:
    """Also where the work was too small for a check of the clock."""
    with pytest.raises(TemplateLimitError, match="the time limit of 0 s is exceeded"):
        DIALECT.value(source, {}, budget=RenderingBudget(seconds=0))


@pytest.mark.parametrize("key", ["[1]", "{a: 1}", "1", "null"])
def test_an_invalid_sort_key_of_dictsort_is_refused(key: str) -> None:
    """Anything but `key` or `value`."""
    with pytest.raises(TemplateRenderError, match="can only sort by key or value"):
        DIALECT.value(f"${{{{ d | dictsort(true, {key}) }}}}", {"d": {}})


@pytest.mark.parametrize(
    "tag", ["{% for NAMES in all %}{% endfor %}", "{% set NAMES = 1 %}"]
)
def test_each_name_that_a_tag_sets_is_charged(tag: str) -> None:
    """A tag that sets thousands of names costs as many units."""
    names = ",".join(f"a{number}" for number in range(2_000))
    loop = "{% for i in all %}" + tag.replace("NAMES", names) + "{% endfor %}"
    with limit_processor_time(SECONDS), pytest.raises(TemplateLimitError, match="work"):
        DIALECT.text(loop, {"all": list(range(1_000))})
