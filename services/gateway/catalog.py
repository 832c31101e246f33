"""What the gateway itself asks the catalog: groups, users, conditions on an entity.

It asks through the public API like everybody else, as a service.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from services.gateway.model import ApiAnswer, Identity, UserCard
from services.gateway.ports import Api
from shared.contracts.errors import Invalid, Unavailable
from shared.contracts.ref import parse_ref, ref_of

OWN = Identity("service:gateway", "service")
BY_REFS = "/api/catalog/entities/by-refs"
BY_QUERY = "/api/catalog/entities/by-query"
APPLY = "/api/catalog/.well-known/backstage/permissions/apply-conditions"
GROUP_FIELDS = ["metadata", "spec.children", "relations"]
USER_FIELDS = "kind,metadata,spec.profile,relations"


class CatalogClient:
    """`Resources` and `Users` over the public API.

    `visitor` is the identity that lists users for a reader who has not signed in.
    """

    def __init__(self, api: Api, visitor: Identity) -> None:
        self._api = api
        self._visitor = visitor

    async def entity(self, ref: str) -> Mapping[str, Any] | None:
        """The entity, or None; raises Unavailable if the catalog is away."""
        try:
            parsed = parse_ref(ref)
        except Invalid:
            return None
        path = "/".join(
            quote(part, safe="")
            for part in (parsed.kind, parsed.namespace, parsed.name)
        )
        answer = await self._api.call(
            OWN, "GET", f"/api/catalog/entities/by-name/{path}"
        )
        if answer.status in (400, 404):
            return None
        found = _good(answer)
        return found if isinstance(found, dict) else None

    async def groups(self, refs: Sequence[str]) -> list[Mapping[str, Any] | None]:
        """What counts of each group; raises Unavailable if the catalog is away."""
        body = {"entityRefs": list(refs), "fields": GROUP_FIELDS}
        answer = await self._api.call(OWN, "POST", BY_REFS, json=body)
        return list(_good(answer)["items"])

    async def apply_conditions(
        self, conditions: Mapping[str, Any], refs: Sequence[str]
    ) -> list[bool]:
        """Whether each entity meets the conditions, as the catalog tests them."""
        items = [
            {
                "id": str(number),
                "resourceRef": ref,
                "resourceType": "catalog-entity",
                "conditions": conditions,
            }
            for number, ref in enumerate(refs)
        ]
        answer = await self._api.call(OWN, "POST", APPLY, json={"items": items})
        found = _good(answer)
        allowed = {item["id"] for item in found["items"] if item["result"] == "ALLOW"}
        return [str(number) in allowed for number in range(len(refs))]

    async def users(self, text: str = "", *, limit: int = 50) -> list[UserCard]:
        """Users that a guest may see, whose name or title holds `text`, by name.

        Raises:
            Unavailable: if the catalog or the policy is away, or guests may not read.
        """
        params: list[tuple[str, Any]] = [
            ("filter", "kind=user"),
            ("fields", USER_FIELDS),
            ("orderField", "metadata.name,asc"),
            ("limit", limit),
        ]
        if text.strip():
            fields = "metadata.name,metadata.title,spec.profile.displayName"
            params += [
                ("fullTextFilterTerm", text.strip()),
                ("fullTextFilterFields", fields),
            ]
        answer = await self._api.call(self._visitor, "GET", BY_QUERY, params=params)
        return [_card(entity) for entity in _good(answer)["items"]]

    async def has_users(self) -> bool:
        """Whether the catalog has any user; raises Unavailable if it is away."""
        params: list[tuple[str, Any]] = [
            ("filter", "kind=user"),
            ("fields", "metadata.name"),
            ("limit", 1),
        ]
        answer = await self._api.call(OWN, "GET", BY_QUERY, params=params)
        return bool(_good(answer)["items"])


def _good(answer: ApiAnswer) -> Any:
    if not answer.ok:
        raise Unavailable(f"The catalog: {answer.error}")
    return answer.json()


def _card(entity: Mapping[str, Any]) -> UserCard:
    metadata = entity["metadata"]
    profile = (entity.get("spec") or {}).get("profile") or {}
    groups = [
        str(relation["targetRef"]).rpartition("/")[2]
        for relation in entity.get("relations") or ()
        if relation.get("type") == "memberOf"
    ]
    return UserCard(
        ref=str(ref_of(entity)),
        name=str(metadata["name"]),
        title=str(profile.get("displayName") or metadata.get("title") or ""),
        picture=str(profile.get("picture") or ""),
        groups=groups,
    )
