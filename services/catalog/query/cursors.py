"""Cursors: the end of a page and its listing, as text for the next request.

They are not signed: they hold nothing that the reader could not request directly.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import orjson

from services.catalog.query.ordering import OrderField, Place
from services.catalog.query.predicates import Predicate
from shared.contracts.errors import CallboardError, Invalid
from shared.guards.json_text import load_json


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a listing, the direction to go from it, and the listing itself."""

    orders: tuple[OrderField, ...]
    place: Place
    backwards: bool
    filters: tuple[str, ...] = ()
    query: Predicate | None = None
    term: str = ""
    term_fields: tuple[str, ...] = ()

    def encode(self) -> str:
        fields: dict[str, Any] = {
            "orderFields": [
                {"field": o.field, "order": "desc" if o.descending else "asc"}
                for o in self.orders
            ],
            "orderFieldValues": [*self.place[0], self.place[1]],
            "isPrevious": self.backwards,
        }
        if self.filters:
            fields["filter"] = self.filters
        if self.query is not None:
            fields["query"] = self.query
        if self.term:
            fields["fullTextFilter"] = {"term": self.term, "fields": self.term_fields}
        return base64.b64encode(orjson.dumps(fields)).decode()


def decode_cursor(text: str) -> Cursor:
    """The cursor in a text.

    Raises:
        Invalid: if it is not one of ours.
    """
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4))
        return _read(load_json(data, label="cursor"))
    except (
        *(binascii.Error, ValueError, TypeError, KeyError, AttributeError),
        CallboardError,
    ) as error:
        raise Invalid("Malformed cursor") from error


def _read(fields: dict[str, Any]) -> Cursor:
    orders = tuple(
        OrderField(_text(o["field"]), o["order"] == "desc")
        for o in fields["orderFields"]
    )
    *values, ref = fields["orderFieldValues"]
    full_text = fields.get("fullTextFilter") or {}
    query = fields.get("query")
    if len(values) != len(orders) or not isinstance(fields["isPrevious"], bool):
        raise ValueError("orderFieldValues")
    return Cursor(
        orders=orders,
        place=([None if v is None else _text(v) for v in values], _text(ref)),
        backwards=fields["isPrevious"],
        filters=tuple(_text(text) for text in fields.get("filter", ())),
        query=query,
        term=_text(full_text.get("term", "")),
        term_fields=tuple(_text(text) for text in full_text.get("fields", ())),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value
