"""The HTTP face of user settings: `/api/user-settings` as Backstage answers it."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field
from starlette.responses import Response

from services.gateway.callers import person
from services.gateway.model import Identity
from services.gateway.ports import PreferenceStore
from shared.contracts.errors import Invalid, NotFound
from shared.kit.http.apps import json_response
from shared.kit.http.bodies import BoundedRoute

VALUE_LIMIT = 256 * 1024
#: What one answer may hold: a question may name one large value many times.
ANSWER_LIMIT = 8 * 1024 * 1024
Name = Annotated[str, Path(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]
Person = Annotated[Identity, Depends(person)]


class Value(BaseModel):
    """The body of a PUT."""

    value: Any


class PreferenceKey(BaseModel):
    """One item of a multiget."""

    bucket: str
    key: str


class PreferenceBatch(BaseModel):
    """The body of a multiget."""

    items: list[PreferenceKey] = Field(max_length=1000)


def make_router(preferences: PreferenceStore) -> APIRouter:
    """Routes below `/api/user-settings`."""
    router = APIRouter(
        prefix="/api/user-settings", tags=["user-settings"], route_class=BoundedRoute
    )

    @router.get("/buckets/{bucket}/keys/{key}")
    async def get(bucket: Name, key: Name, who: Person) -> Response:
        """One setting of the caller."""
        found = await preferences.get(who.subject, [(bucket, key)])
        if (bucket, key) not in found:
            raise NotFound(f"Unable to find '{key}' in bucket '{bucket}'")
        return json_response(_setting(bucket, key, found[bucket, key]))

    @router.put("/buckets/{bucket}/keys/{key}")
    async def put(bucket: Name, key: Name, given: Value, who: Person) -> Response:
        """Keep a value."""
        if given.value is None:
            raise Invalid("value: must not be null")
        if len(orjson.dumps(given.value)) > VALUE_LIMIT:
            raise Invalid(f"value: over the limit of {VALUE_LIMIT} bytes")
        await preferences.put(who.subject, bucket, key, given.value)
        return json_response(_setting(bucket, key, given.value))

    @router.delete("/buckets/{bucket}/keys/{key}", status_code=204)
    async def delete(bucket: Name, key: Name, who: Person) -> Response:
        """Forget a value."""
        await preferences.drop(who.subject, bucket, key)
        return Response(status_code=204)

    @router.post("/multiget")
    async def multiget(wanted: PreferenceBatch, who: Person) -> Response:
        """Several settings in order; null where there is none."""
        pairs = [(item.bucket, item.key) for item in wanted.items]
        found = await preferences.get(who.subject, pairs)
        return json_response({"items": _items(pairs, found)})

    return router


def _items(
    pairs: Sequence[tuple[str, str]], found: Mapping[tuple[str, str], Any]
) -> list[dict[str, orjson.Fragment] | None]:
    """The values in the order of the question, each written out once.

    Raises:
        Invalid: if they are too large together.
    """
    written = {pair: orjson.dumps(value) for pair, value in found.items()}
    if sum(len(written.get(pair, b"")) for pair in pairs) > ANSWER_LIMIT:
        raise Invalid(
            f"items: the values are over {ANSWER_LIMIT} bytes together; ask for fewer"
        )
    return [
        {"value": orjson.Fragment(written[pair])} if pair in written else None
        for pair in pairs
    ]


def _setting(bucket: str, key: str, value: Any) -> dict[str, Any]:
    return {"bucket": bucket, "key": key, "value": value}
