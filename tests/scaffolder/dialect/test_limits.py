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


def test_work_is_counted_to_the_unit() -> None:
    """What was allowed is spent whole; one more ends the rendering."""
    budget = RenderingBudget(work=3)
    budget.spend(3)
    with pytest.raises(TemplateLimitError, match="the work limit of 1000000 units"):
        budget.spend()


def test_text_is_checked_before_it_is_made() -> None:
    """`afford` takes nothing, `write` takes what it says."""
    budget = RenderingBudget(text=10)
    budget.afford(10)
    budget.write(10)
    assert budget.text == 0
    with pytest.raises(TemplateLimitError, match="output limit"):
        budget.afford(1)


def test_reading_has_a_limit_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text that is only looked at is no output."""
    monkeypatch.setattr(limits, "READ", 100)
    budget = RenderingBudget()
    budget.read(100)
    with pytest.raises(TemplateLimitError, match="more than 100 characters"):
        budget.read(1)


def test_time_is_the_threads_own() -> None:
    """A budget made in one thread counts that thread's processor time."""
    deadlines: list[float] = []

    def measure() -> None:
        deadlines.append(RenderingBudget(seconds=5).deadline)

    thread = threading.Thread(target=measure)
    thread.start()
    thread.join()
    assert deadlines[0] < 6


def test_depth_is_limited_and_given_back() -> None:
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


def test_outside_of_a_rendering_a_fresh_budget_is_in_force() -> None:
    """And within one, that of the rendering."""
    budget = RenderingBudget()
    with budget.in_force():
        assert in_force() is budget
    assert in_force() is not budget


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_seed_makes_the_same_choice(seed: int) -> None:
    """The two forms of a value with secrets must not differ by chance."""
    values = {"l": list(range(1000))}
    first, second = (
        DIALECT.value("${{ l | random }}", values, budget=RenderingBudget(seed=seed))
        for _ in range(2)
    )
    assert first == second


def test_a_limit_ends_a_run_and_a_mistake_does_not() -> None:
    """Only the first is raised; an expression that is wrong stays as its text."""
    assert rendered(DIALECT, {"a": "${{ 1 | nosuch }}"}, {}) == {
        "a": "${{ 1 | nosuch }}"
    }
    with pytest.raises(TemplateLimitError):
        rendered(DIALECT, {"a": "${{ range(99999999) }}"}, {})


def test_a_limit_is_the_clients_mistake_and_an_error_the_templates() -> None:
    """Their names and statuses are those of Backstage's answers."""
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
def test_what_each_cannot_go_through_is_named(value: object, description: str) -> None:
    """With what it must be."""
    with pytest.raises(Invalid, match=f"an array or an object, not {description}"):
        iterations(value)


def test_iterations_are_limited() -> None:
    """A thousand are run, one more is refused."""
    assert len(iterations(list(range(1000)))) == 1000
    with pytest.raises(Invalid, match="over the limit of 1000 iterations"):
        iterations(dict.fromkeys(map(str, range(1001))))
