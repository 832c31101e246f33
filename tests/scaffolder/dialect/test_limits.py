"""The limits of one rendering: each is exact, and its error names it."""

import threading

import pytest

from services.scaffolder.dialect import limits
from services.scaffolder.dialect.failure import TemplateLimitError, TemplateRenderError
from services.scaffolder.dialect.json_rendering import iterations, rendered
from services.scaffolder.dialect.limits import DEPTH, RenderingBudget, in_force
from services.scaffolder.dialect.values import UNDEFINED
from shared.contracts.errors import Invalid
from tests.scaffolder.dialect.expressions import DIALECT


def test_the_work_budget_is_exact() -> None:
    """The whole budget can be spent; one unit more ends the rendering."""
    budget = RenderingBudget(work=3)
    budget.spend(3)
    with pytest.raises(TemplateLimitError, match="the work limit of 3 units"):
        budget.spend()


def test_text_is_charged_before_it_is_made() -> None:
    """`afford` only checks, `write` charges the length."""
    budget = RenderingBudget(text=10)
    budget.afford(10)
    budget.write(10)
    assert budget.text == 0
    with pytest.raises(TemplateLimitError, match="the output limit of 10 characters"):
        budget.afford(1)


def test_reading_text_has_a_separate_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text that is only read is no output."""
    monkeypatch.setattr(limits, "READ", 100)
    budget = RenderingBudget()
    budget.read(100)
    with pytest.raises(TemplateLimitError, match="more than 100 characters"):
        budget.read(1)


def test_the_time_budget_is_per_thread() -> None:
    """A budget made in one thread counts that thread's processor time."""
    deadlines: list[float] = []

    def measure() -> None:
        deadlines.append(RenderingBudget(seconds=5).deadline)

    thread = threading.Thread(target=measure)
    thread.start()
    thread.join()
    assert deadlines[0] < 6


def test_depth_is_limited_and_released() -> None:
    """Loops one after another are no deeper than one."""
    flat = "{% for i in [1] %}{% endfor %}" * (2 * DEPTH)
    assert DIALECT.text(flat + "${{ 1 }}", {}) == "1"
    deep = "{% if 1 %}" * (DEPTH + 1) + "x" + "{% endif %}" * (DEPTH + 1)
    with pytest.raises(TemplateLimitError, match="nest"):
        DIALECT.text(deep, {})


def test_one_budget_serves_all_texts_of_an_input() -> None:
    """Many small expressions together are not allowed more than a large one."""
    budget = RenderingBudget(work=50)
    sources = [f"${{{{ {number} + 1 }}}}" for number in range(10)]
    values = [DIALECT.value(source, {}, budget=budget) for source in sources]
    assert values == list(range(1, 11))
    with pytest.raises(TemplateLimitError, match="work limit"):
        DIALECT.value("${{ " + "1 + " * 30 + "1 }}", {}, budget=budget)


def test_outside_of_a_rendering_a_new_budget_applies() -> None:
    """Within a rendering its own budget applies."""
    budget = RenderingBudget()
    with budget.in_force():
        assert in_force() is budget
    assert in_force() is not budget


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_seed_makes_random_choices_reproducible(seed: int) -> None:
    """The two forms of a value with secrets must not differ by chance."""
    values = {"l": list(range(1000))}
    first, second = (
        DIALECT.value("${{ l | random }}", values, budget=RenderingBudget(seed=seed))
        for _ in range(2)
    )
    assert first == second


def test_a_limit_error_is_raised_and_other_errors_are_not() -> None:
    """An invalid expression stays as its text."""
    assert rendered(DIALECT, {"a": "${{ 1 | nosuch }}"}, {}) == {
        "a": "${{ 1 | nosuch }}"
    }
    with pytest.raises(TemplateLimitError):
        rendered(DIALECT, {"a": "${{ range(99999999) }}"}, {})


def test_limit_and_template_errors_have_backstages_names() -> None:
    """Names and statuses are those of Backstage's responses."""
    error, limit = TemplateRenderError("x", line=2, column=3), TemplateLimitError("x")
    assert (error.name, error.status) == ("TemplateRenderError", 500)
    assert (limit.name, limit.status) == ("TemplateLimitError", 400)
    assert str(error) == "Template error at line 2, column 3: x"


def test_undefined_members_are_dropped_from_json() -> None:
    """In a list they are null, as positions must stay."""
    value = {"a": "${{ nosuch }}", "b": ["${{ nosuch }}", 1], "c": {"d": "${{ x }}"}}
    assert rendered(DIALECT, value, {"x": 1}) == {"b": [None, 1], "c": {"d": 1}}
    assert rendered(DIALECT, "${{ nosuch }}", {}) is UNDEFINED
    assert rendered(DIALECT, 5, {}) == 5


@pytest.mark.parametrize(
    ("value", "description"),
    [
        ("abc", "a text"),
        (5, "a number"),
        (True, "a boolean"),
        (None, "nothing"),
        (UNDEFINED, "nothing"),
    ],
)
def test_a_value_that_each_cannot_iterate_is_named(
    value: object, description: str
) -> None:
    """The error says which type it must have."""
    with pytest.raises(Invalid, match=f"an array or an object, not {description}"):
        iterations(value)


def test_the_iterations_of_each_are_limited() -> None:
    """A thousand are run, one more is refused."""
    assert len(iterations(list(range(1000)))) == 1000
    with pytest.raises(Invalid, match="over the limit of 1000 iterations"):
        iterations(dict.fromkeys(map(str, range(1001))))
