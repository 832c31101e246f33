"""Query parameters and bodies, read by hand, with errors that name them."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from services.catalog.query.criteria import EVERYTHING, Criterion
from services.catalog.query.fields import parse_fields
from services.catalog.query.ordering import OrderField
from services.catalog.query.predicates import parse_predicate
from shared.contracts.errors import Invalid
from shared.kit.http.bodies import json_of

KNOWN = frozenset(
    {
        "after", "cursor", "facet", "fields", "filter", "fullTextFilterFields",
        "fullTextFilterTerm", "limit", "offset", "order", "orderField", "totalItems",
    }
)  # fmt: skip
DIRECTIONS = {"asc": False, "desc": True}
MOST_ITEMS = 1_000_000
"""A limit or offset above this is taken for a mistake."""


class Parameters:
    """The query string: each name with all its values, in order."""

    def __init__(self, query: bytes) -> None:
        self._values: dict[str, list[str]] = {}
        text = query.decode(errors="replace")
        for name, value in parse_qsl(text, keep_blank_values=True):
            self._values.setdefault(name.removesuffix("[]"), []).append(value)
        for name, values in self._values.items():
            if name in KNOWN and values == [""]:
                raise Invalid(f"Empty value found for query parameter '{name}'")

    def all(self, name: str) -> list[str]:
        """Every value of a parameter that may be repeated."""
        return self._values.get(name, [])

    def pieces(self, name: str) -> tuple[str, ...]:
        """Every value of a parameter whose values are separated by commas as well."""
        found = (piece.strip() for text in self.all(name) for piece in text.split(","))
        return tuple(piece for piece in found if piece)

    def one(self, name: str) -> str | None:
        """The value of a parameter that must not be repeated."""
        values = self._values.get(name)
        if values is None:
            return None
        if len(values) > 1:
            raise Invalid(f"request/query/{name} must be string")
        return values[0]

    def number(self, name: str, *, least: int = 0) -> int | None:
        """The whole number in a parameter."""
        text = self.one(name)
        if text is None:
            return None
        try:
            value = int(text)
        except ValueError as error:
            raise Invalid(f"request/query/{name} must be integer") from error
        return in_range(value, f"request/query/{name}", least)

    def fields(self) -> tuple[str, ...]:
        """The fields that entities are to be cut down to."""
        return parse_fields(self.all("fields"))


def in_range(value: int, where: str, least: int = 0) -> int:
    """A count that is neither below `least` nor beyond reason."""
    if value < least:
        raise Invalid(f"{where} must be >= {least}")
    if value > MOST_ITEMS:
        raise Invalid(f"{where} must be <= {MOST_ITEMS}")
    return value


def parse_order_fields(given: Sequence[str]) -> tuple[OrderField, ...]:
    """`orderField` parameters: `field`, `field,asc` or `field,desc`."""
    found = []
    for text in given:
        field, _, direction = text.partition(",")
        if direction and direction not in DIRECTIONS:
            raise Invalid("Invalid order field order, must be asc or desc")
        if not field:
            raise Invalid("Invalid order field, must be a field name")
        found.append(OrderField(field, direction == "desc"))
    return tuple(found)


def parse_orders(given: Sequence[str]) -> tuple[OrderField, ...]:
    """`order` parameters: `asc:field` or `desc:field`."""
    found = []
    for text in given:
        direction, colon, field = text.partition(":")
        if not colon or not field or direction not in DIRECTIONS:
            raise Invalid(
                f'Invalid order parameter "{text}", expected '
                '"<asc or desc>:<field name>"'
            )
        found.append(OrderField(field, DIRECTIONS[direction]))
    return tuple(found)


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object in a request's body.

    Raises:
        Invalid: if it is no JSON, or no object.
    """
    body = await json_of(request)
    if not isinstance(body, dict):
        raise Invalid("request/body must be object")
    return body


def strings(body: Mapping[str, Any], name: str, *, required: bool = False) -> list[str]:
    """An array of strings in a body; empty when it is not required and absent."""
    if name not in body:
        if required:
            raise Invalid(f"request/body must have required property '{name}'")
        return []
    value = body[name]
    if not isinstance(value, list):
        raise Invalid(f"request/body/{name} must be array")
    for index, item in enumerate(value):
        if not isinstance(item, str):
            raise Invalid(f"request/body/{name}/{index} must be string")
    return value


def whole_number(body: Mapping[str, Any], name: str) -> int | None:
    """A whole number in a body."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Invalid(f"request/body/{name} must be number")
    if value != int(value):
        raise Invalid(f"request/body/{name} must be integer")
    return in_range(int(value), f"request/body/{name}")


def text(body: Mapping[str, Any], name: str, where: str = "request/body") -> str | None:
    """A string in a body."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise Invalid(f"{where}/{name} must be string")
    return value


def predicate(body: Mapping[str, Any]) -> Criterion:
    """The `query` of a body; absent, it demands nothing."""
    return parse_predicate(body["query"]) if "query" in body else EVERYTHING
