"""Query parameters of plain routes."""

from collections.abc import Sequence
from functools import cache
from typing import TypeVar, get_origin
from urllib.parse import parse_qsl

from pydantic import BaseModel

from services.catalog.query.ordering import OrderField
from shared.contracts.errors import Invalid
from shared.kit.http.bodies import validated

#: Parameters of Backstage's that must not be there without a value.
NEVER_EMPTY = frozenset(
    {
        "after", "cursor", "facet", "fields", "filter", "fullTextFilterFields",
        "fullTextFilterTerm", "limit", "offset", "order", "orderField", "totalItems",
    }
)  # fmt: skip
DIRECTIONS = {"asc": False, "desc": True}
Query = TypeVar("Query", bound=BaseModel)


def query_as(query: bytes, model: type[Query]) -> Query:
    """A query string by its model; `filter[]` is `filter`.

    Raises:
        Invalid: if a parameter is empty, or repeated and no list.
        RequestValidationError: if it breaks a rule of the model.
    """
    texts: dict[str, list[str]] = {}
    pairs = parse_qsl(query.decode(errors="replace"), keep_blank_values=True)
    for name, text in pairs:
        texts.setdefault(name.removesuffix("[]"), []).append(text)
    values: dict[str, str | list[str]] = {**texts}
    for name in _scalars(model) & texts.keys():
        if len(texts[name]) > 1:
            raise Invalid(f"request/query/{name} must be string")
        values[name] = texts[name][0]
    for name in NEVER_EMPTY & texts.keys():
        if texts[name] == [""]:
            raise Invalid(f"Empty value found for query parameter '{name}'")
    return validated(model, values, "query")


@cache
def _scalars(model: type[BaseModel]) -> frozenset[str]:
    """The parameters that are no lists."""
    fields = model.model_fields.values()
    return frozenset(
        str(field.alias) for field in fields if get_origin(field.annotation) is not list
    )


def parse_order_fields(texts: Sequence[str]) -> tuple[OrderField, ...]:
    """`orderField` parameters: `field`, `field,asc` or `field,desc`."""
    orders = []
    for text in texts:
        field, _, direction = text.partition(",")
        if direction and direction not in DIRECTIONS:
            raise Invalid("Invalid order field order, must be asc or desc")
        if not field:
            raise Invalid("Invalid order field, must be a field name")
        orders.append(OrderField(field, direction == "desc"))
    return tuple(orders)


def parse_orders(texts: Sequence[str]) -> tuple[OrderField, ...]:
    """`order` parameters: `asc:field` or `desc:field`."""
    orders = []
    for text in texts:
        direction, colon, field = text.partition(":")
        if not colon or not field or direction not in DIRECTIONS:
            raise Invalid(
                f'Invalid order parameter "{text}", expected '
                '"<asc or desc>:<field name>"'
            )
        orders.append(OrderField(field, DIRECTIONS[direction]))
    return tuple(orders)
