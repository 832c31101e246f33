"""A body of very many wrong values makes few errors: each costs the event loop time."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import get_origin

import pytest
from pydantic import BaseModel, ValidationError

import services
from services.gateway.policy.handlers import PermissionBatch
from services.gateway.preferences.api import PreferenceBatch
from shared.kit.http.models import RequestModel

MANY = 20_000
#: What comes from an address is text, and as short as addresses are.
OF_ADDRESSES = ("Query", "EntityFilter")
#: More than the longest list that a client may send.
MOST_ERRORS = 1_100


def subclasses(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for subclass in model.__subclasses__():
        yield subclass
        yield from subclasses(subclass)


def containers() -> Iterator[tuple[type[BaseModel], str, type]]:
    """Each list and each object of named values in what clients send."""
    for module in pkgutil.walk_packages(services.__path__, "services."):
        if ".api" in module.name:
            importlib.import_module(module.name)
    for model in {*subclasses(RequestModel), PermissionBatch, PreferenceBatch}:
        is_body = not model.__name__.endswith(OF_ADDRESSES)
        if is_body and model.__module__.startswith("services."):
            for name, field in model.model_fields.items():
                kind = get_origin(field.annotation)
                if kind in (list, dict):
                    yield model, field.alias or name, kind


def errors_of(model: type[BaseModel], name: str, kind: type) -> int:
    """The errors of one field that has nothing but wrong values."""
    wrong = object()
    values = [wrong] * MANY
    sent = values if kind is list else {f"k{n}": wrong for n in range(MANY)}
    try:
        model.model_validate({name: sent})
    except ValidationError as error:
        return sum(
            detail["loc"][0] == name for detail in error.errors(include_input=False)
        )
    return 0


@pytest.mark.parametrize(
    ("model", "name", "kind"),
    sorted(
        containers(), key=lambda container: (container[0].__qualname__, container[1])
    ),
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_many_wrong_values_make_few_errors(
    model: type[BaseModel], name: str, kind: type
) -> None:
    """However many there are."""
    assert errors_of(model, name, kind) <= MOST_ERRORS
