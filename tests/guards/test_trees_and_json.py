"""Bounds on JSON texts and on values made of JSON."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.errors import CallboardError, Invalid, TooLarge
from shared.guards import json_text
from shared.guards.budgets import Budget, BudgetExceeded
from shared.guards.json_text import JsonLimits, load_json
from shared.guards.trees import check_tree
from tests.costs import limit_processor_time

LIMITS = JsonLimits(size=1000, depth=5, nodes=50)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'{"a":[1,2.5,null,true]}', {"a": [1, 2.5, None, True]}),
        ('{"a":1,"a":2}', {"a": 2}),
        (b"[[[[[1]]]]]", [[[[[1]]]]]),
        (b'"[[[[[[[["', "[[[[[[[["),
        (b"1" * 30, float("1" * 30)),
        (b'{"a":[9223372036854775807]}', {"a": [2**63 - 1]}),
        (b'[{"a":9223372036854775808}]', [{"a": 2.0**63}]),
        ("18446744073709551615", float(2**64)),
        (b"-9223372036854775808", -(2**63)),
    ],
)
def test_json_is_read_as_in_javascript(text: bytes | str, value: object) -> None:
    """The last of equal keys counts, and large numbers are floats."""
    assert repr(load_json(text, label="x", limits=LIMITS)) == repr(value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[[[[[[1]]]]]]", "body: nested deeper than 5"),
        (b"[" * 90, "body: nested deeper than 5"),
        (b'{"a":' * 40, "body: nested deeper than 5"),
        (b"[[[[[]],[[", "body: not JSON"),
        (b'["\\"[[[[[[\\\\", "[[[[[[', "body: not JSON"),
        (b"[" + b"1," * 60 + b"1]", "body: more than 50 elements"),
        (b"NaN", "body: not JSON"),
        (b"[Infinity]", "body: not JSON"),
        (b'"\\ud800"', "body: not JSON"),
        (b"\xff", "body: not JSON"),
        ("\ud800", "body: not JSON"),
        (b"", "body: not JSON"),
    ],
)
def test_malformed_json_is_refused(text: bytes | str, words: str) -> None:
    """The error names the text and the rule."""
    with pytest.raises(Invalid, match=words):
        load_json(text, label="body", limits=LIMITS)


@pytest.mark.parametrize("text", [b"[" * 1000, b'{"a":' * 1000, b"[" * 200 + b"x"])
def test_a_text_that_breaks_off_deep_inside_is_too_deep(text: bytes) -> None:
    """Whatever else is wrong with it: the depth is what to mend first."""
    with pytest.raises(Invalid, match="body: nested deeper than 100"):
        load_json(text, label="body")


@pytest.mark.parametrize("count", [60, 79, 90, 99])
def test_a_text_that_ends_early_is_no_lack_of_memory(count: int) -> None:
    """What the parser makes of it is no matter of memory."""
    with pytest.raises(Invalid, match="body: not JSON: unexpected end"):
        load_json(b"[1," * count, label="body")


def test_a_json_text_over_the_size_limit_is_refused() -> None:
    """Its size is checked before its content."""
    with pytest.raises(TooLarge, match="body: 1001 bytes, at most 1000"):
        load_json(b" " * 1001, label="body", limits=LIMITS)


def test_deeply_nested_json_is_refused_fast() -> None:
    """Half a million levels, and as many elements."""
    for text in (b"[" * 500_000, b'{"a":' * 200_000, b"[" + b"[]," * 300_000 + b"0]"):
        with limit_processor_time(10), pytest.raises(Invalid):
            load_json(text, label="body")


@given(st.text() | st.binary())
def test_any_text_is_a_value_or_an_error(text: str | bytes) -> None:
    """No other exception leaves the reader."""
    with contextlib.suppress(CallboardError):
        load_json(text, label="x", limits=LIMITS)


def test_a_value_is_measured_by_its_size_as_json() -> None:
    """Shared parts count as often as they are written; cycles end."""
    shared: list[object] = ["x"]
    for _ in range(40):
        shared = [shared, shared]
    with pytest.raises(Invalid, match="t: more than 1000 elements"):
        check_tree(shared, label="t", nodes=1000)
    loop: dict[str, object] = {}
    loop["a"] = loop
    with pytest.raises(Invalid, match="t: nested deeper than 10"):
        check_tree(loop, label="t", depth=10)
    with pytest.raises(Invalid, match="t: more than 5 characters"):
        check_tree({"abc": ["def"]}, label="t", text=5)
    check_tree({"abc": ["de"]}, label="t", text=5, nodes=3, depth=2)


def pay_often(budget: Budget) -> None:
    for _ in range(1000):
        budget.pay_nodes()


def test_a_spent_budget_names_the_input() -> None:
    """Each limit names the input that exceeds it."""
    with pytest.raises(BudgetExceeded, match="page: too many elements"):
        Budget("page", nodes=2).pay_nodes(3)
    with pytest.raises(BudgetExceeded, match="page: too large"):
        Budget("page", bytes=2).pay_bytes(3)
    with pytest.raises(BudgetExceeded, match="page: nested deeper than 2"):
        Budget("page", depth=2).check_depth(3)
    late = Budget("page", seconds=0)
    with pytest.raises(BudgetExceeded, match="page: takes longer than 0 s"):
        pay_often(late)
    unlimited = Budget("page")
    unlimited.pay_nodes(10**9)
    unlimited.pay_bytes(10**9)
    unlimited.check_depth(10**9)
    unlimited.check_time()


JSON = st.recursive(
    st.none() | st.integers(-9, 9) | st.text('a"\\[]{},:\n\u0301', max_size=8),
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.dictionaries(st.text('a"\\[,', max_size=4), inner, max_size=6)
    ),
    max_leaves=60,
)


def elements_of(value: object) -> int:
    """How many values a value consists of, itself among them."""
    if isinstance(value, dict):
        return 1 + sum(map(elements_of, value.values()))
    return 1 + sum(map(elements_of, value)) if isinstance(value, list) else 1


@given(JSON, st.booleans(), st.sampled_from([None, 1]))
def test_elements_are_counted_exactly_before_parsing(
    value: object, ascii_only: bool, indent: int | None
) -> None:
    """Brackets and commas inside of texts are not counted."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    exact = elements_of(value)
    assert load_json(text, label="x", limits=JsonLimits(nodes=exact)) == value
    if exact > 1:
        with pytest.raises(Invalid, match="more than"):
            load_json(text, label="x", limits=JsonLimits(nodes=exact - 1))


@pytest.mark.parametrize(
    "text",
    [
        b"[[[1]]]," * 60_000,
        b"{}," * 100_000,
        b'"",' * 100_000,
        b'"' * 900_000,
        b'"a":1,' * 100_000,
        b'\\"[,' * 200_000,
        b'"\\\\",' * 100_000,
    ],
    ids=["lists", "empty", "texts", "quotes", "keys", "escapes outside", "backslashes"],
)
@pytest.mark.parametrize("frame", [b"[%s1]", b'{"a":[%s1]}', b"[%s", b'"" [%s1]'])
def test_json_with_too_many_elements_is_not_parsed(
    monkeypatch: pytest.MonkeyPatch, text: bytes, frame: bytes
) -> None:
    """Nothing of it is built: a parser blocks all other work meanwhile."""

    def parse(_: bytes) -> object:
        pytest.fail("the text is parsed")

    monkeypatch.setattr(json_text.orjson, "loads", parse)
    limits = JsonLimits(size=2_000_000, nodes=10_000)
    with pytest.raises(Invalid, match="more than 10000 elements"):
        load_json(frame % text, label="x", limits=limits)
