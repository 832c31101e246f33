"""The dialect with its filters and some values: what an expression is worth there."""

from typing import Any

from services.scaffolder.dialect.template import TemplateDialect
from services.scaffolder.templates.filters import template_filters

VALUES: dict[str, Any] = {
    "name": "seat-Pricer Two",
    "count": 4,
    "price": 2.5,
    "yes": True,
    "no": False,
    "nothing": None,
    "empty": "",
    "tags": ["red", "blue", "red"],
    "crew": [{"who": "mia", "age": 40}, {"who": "leo", "age": 22}],
    "spot": {"row": 7, "at": {"seat": "F"}},
    "digits": "17",
    "lines": "first\nsecond",
    "markup": "<i>&'\"</i>",
}
CONTEXT = {"parameters": VALUES, "p": VALUES}
OWN_FILTERS = {
    template_filter.name: template_filter.run for template_filter in template_filters()
}
DIALECT = TemplateDialect(OWN_FILTERS)


def value(source: str) -> Any:
    return DIALECT.value(source, CONTEXT)


def evaluate(expression: str, **names: Any) -> Any:
    """The value of one expression; undefined members of a result are dropped."""
    return DIALECT.value(f"${{{{ {expression} }}}}", names)


def render(source: str, **names: Any) -> str:
    """The text of a whole template."""
    return DIALECT.text(source, names)
