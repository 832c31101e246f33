"""Routes of user settings: `/api/user-settings`, with Backstage's contract."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field
from starlette.responses import Response

from services.gateway.callers import require_person
from services.gateway.model import Identity
from services.gateway.ports import PreferenceStore
from shared.contracts.errors import Invalid, NotFound
from shared.kit.http.apps import json_response
from shared.kit.http.bodies import BoundedRoute

VALUE_LIMIT = 256 * 1024
#: Bytes of one response, because a multiget may name one large value many times.
RESPONSE_LIMIT = 8 * 1024 * 1024
Name = Annotated[str, Path(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]
Person = Annotated[Identity, Depends(require_person)]


class Value(BaseModel):
    """The body of a PUT, and one value of a multiget."""

    value: Any


class UserSetting(Value):
    """One setting."""

    bucket: str
    key: str


class UserSettings(BaseModel):
    """The values of a multiget in its order; null for a missing one."""

    items: list[Value | None]


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
    async def get(bucket: Name, key: Name, caller: Person) -> UserSetting:
        """One setting of the caller."""
        values = await preferences.get(caller.subject, [(bucket, key)])
        if (bucket, key) not in values:
            raise NotFound(f"Unable to find '{key}' in bucket '{bucket}'")
        return UserSetting(bucket=bucket, key=key, value=values[bucket, key])

    @router.put("/buckets/{bucket}/keys/{key}")
    async def put(bucket: Name, key: Name, body: Value, caller: Person) -> UserSetting:
        """Store a value."""
        if body.value is None:
            raise Invalid("value: must not be null")
        if len(orjson.dumps(body.value)) > VALUE_LIMIT:
            raise Invalid(f"value: over the limit of {VALUE_LIMIT} bytes")
        await preferences.put(caller.subject, bucket, key, body.value)
        return UserSetting(bucket=bucket, key=key, value=body.value)

    @router.delete("/buckets/{bucket}/keys/{key}", status_code=204)
    async def delete(bucket: Name, key: Name, caller: Person) -> Response:
        """Delete a value."""
        await preferences.drop(caller.subject, bucket, key)
        return Response(status_code=204)

    @router.post("/multiget", response_model=UserSettings)
    async def multiget(body: PreferenceBatch, caller: Person) -> Response:
        """Several settings in order; null for a missing one."""
        pairs = [(item.bucket, item.key) for item in body.items]
        values = await preferences.get(caller.subject, pairs)
        return json_response({"items": _items(pairs, values)})

    return router


def _items(
    pairs: Sequence[tuple[str, str]], values: Mapping[tuple[str, str], Any]
) -> list[dict[str, orjson.Fragment] | None]:
    """The values in the order of the request, each serialized once.

    Raises:
        Invalid: if they exceed the limit together.
    """
    texts = {pair: orjson.dumps(value) for pair, value in values.items()}
    if sum(len(texts.get(pair, b"")) for pair in pairs) > RESPONSE_LIMIT:
        raise Invalid(
            f"items: the values are over {RESPONSE_LIMIT} bytes together; ask for fewer"
        )
    return [
        {"value": orjson.Fragment(texts[pair])} if pair in texts else None
        for pair in pairs
    ]
