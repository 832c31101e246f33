"""Nunjucks' tests: what may follow `is`."""

from services.scaffolder.dialect.arithmetic import modulo
from services.scaffolder.dialect.calling import Call, Operation
from services.scaffolder.dialect.failure import ValueFailure
from services.scaffolder.dialect.limits import check_operand
from services.scaffolder.dialect.values import (
    UNDEFINED,
    Callable,
    SafeText,
    is_number,
    less,
    less_or_equal,
    strict_equal,
    truthy,
)


def passes(name: str, call: Call) -> bool:
    """Whether the value of `call` passes the test `name`.

    Raises:
        ValueFailure: if there is no such test.
    """
    test = CHECKS.get(name)
    if test is None:
        raise ValueFailure(f'Unknown template test "{name}"')
    return bool(test(call))


def _equal(call: Call) -> bool:
    return strict_equal(call.value, call.arg(0))


def _not_equal(call: Call) -> bool:
    return not strict_equal(call.value, call.arg(0))


def _greater(call: Call) -> bool:
    return less(call.arg(0), call.value)


def _less(call: Call) -> bool:
    return less(call.value, call.arg(0))


def _text(call: Call, name: str) -> str:
    """The text that is tested; it is paid for, as `select` tests many."""
    if not isinstance(call.value, str):
        raise ValueFailure("Test input must be a string")
    check_operand(call.value, name)
    call.budget.read(len(call.value))
    return call.value


def _lower(call: Call) -> bool:
    value = _text(call, "lower")
    return value == value.lower()


def _upper(call: Call) -> bool:
    value = _text(call, "upper")
    return value == value.upper()


CHECKS: dict[str, Operation] = {
    "callable": lambda call: isinstance(call.value, Callable),
    "defined": lambda call: call.value is not UNDEFINED,
    "divisibleby": lambda call: modulo(call.value, call.arg(0)) == 0,
    "eq": _equal,
    "equalto": _equal,
    "escaped": lambda call: isinstance(call.value, SafeText),
    "even": lambda call: modulo(call.value, 2) == 0,
    "falsy": lambda call: not truthy(call.value),
    "ge": lambda call: less_or_equal(call.arg(0), call.value),
    "greaterthan": _greater,
    "gt": _greater,
    "iterable": lambda call: isinstance(call.value, (list, str)),
    "le": lambda call: less_or_equal(call.value, call.arg(0)),
    "lessthan": _less,
    "lower": _lower,
    "lt": _less,
    "mapping": lambda call: isinstance(call.value, dict),
    "ne": _not_equal,
    "none": lambda call: call.value is None,
    "null": lambda call: call.value is None,
    "number": lambda call: is_number(call.value),
    "odd": lambda call: modulo(call.value, 2) == 1,
    "sameas": _equal,
    "string": lambda call: isinstance(call.value, str),
    "truthy": lambda call: truthy(call.value),
    "undefined": lambda call: call.value is UNDEFINED,
    "upper": _upper,
}
