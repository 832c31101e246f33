"""Query parameters of hot routes, read by hand, with errors that name them."""

from collections.abc import Sequence
from urllib.parse import parse_qsl

from services.catalog.api.models import MOST_ITEMS
from services.catalog.query.fields import parse_fields
from services.catalog.query.ordering import OrderField
from shared.contracts.errors import Invalid

KNOWN = frozenset(
    {
        "after", "cursor", "facet", "fields", "filter", "fullTextFilterFields",
        "fullTextFilterTerm", "limit", "offset", "order", "orderField", "totalItems",
    }
)  # fmt: skip
DIRECTIONS = {"asc": False, "desc": True}


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
