"""The gateway's own requests to the catalog: groups, users, conditions on an entity.

It requests as a service, or as a reader where the response is shown to that reader.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from services.gateway.model import Identity, ServiceAnswer, UserCard
from services.gateway.ports import Services
from shared.contracts.entity import Entity, text_of
from shared.contracts.errors import Invalid, Unavailable
from shared.contracts.ref import parse_ref

CATALOG = "catalog"
BY_REFS = "/entities/by-refs"
BY_QUERY = "/entities/by-query"
APPLY = "/.well-known/backstage/permissions/apply-conditions"
GROUP_FIELDS = ["metadata", "spec.children", "relations"]
USER_FIELDS = "kind,metadata,spec.profile,relations"


class CatalogClient:
    """`Resources` and `Users` by the catalog's API.

    `visitor` is the identity that lists users for a reader who has not signed in.
    """

    def __init__(self, services: Services, visitor: Identity) -> None:
        self._services = services
        self._visitor = visitor

    async def entity(self, ref: str) -> Entity | None:
        """The entity, or None; raises Unavailable if the catalog is unavailable."""
        try:
            parsed = parse_ref(ref)
        except Invalid:
            return None
        path = "/".join(
            quote(part, safe="")
            for part in (parsed.kind, parsed.namespace, parsed.name)
        )
        answer = await self._services.ask(CATALOG, f"/entities/by-name/{path}")
        if answer.status in (400, 404):
            return None
        value = _value_of(answer)
        return Entity(value) if isinstance(value, dict) else None

    async def groups(self, refs: Sequence[str]) -> list[Entity | None]:
        """Each group with the fields that ownership needs; raises Unavailable."""
        body = {"entityRefs": list(refs), "fields": GROUP_FIELDS}
        answer = await self._services.ask(CATALOG, BY_REFS, json=body)
        items = _value_of(answer)["items"]
        return [Entity(item) if item else None for item in items]

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
        answer = await self._services.ask(CATALOG, APPLY, json={"items": items})
        results = _value_of(answer)
        allowed = {item["id"] for item in results["items"] if item["result"] == "ALLOW"}
        return [str(number) in allowed for number in range(len(refs))]

    async def users(self, text: str = "", *, limit: int = 50) -> list[UserCard]:
        """Users that a guest may see, whose name or title holds `text`, by name.

        Raises:
            Unavailable: if the catalog or the policy is, or guests may not read.
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
        answer = await self._services.ask(
            CATALOG, BY_QUERY, params=params, reader=self._visitor
        )
        return [_card(Entity(item)) for item in _value_of(answer)["items"]]

    async def has_users(self) -> bool:
        """Whether the catalog has any user; raises Unavailable."""
        params: list[tuple[str, Any]] = [
            ("filter", "kind=user"),
            ("fields", "metadata.name"),
            ("limit", 1),
        ]
        answer = await self._services.ask(CATALOG, BY_QUERY, params=params)
        return bool(_value_of(answer)["items"])


def _value_of(answer: ServiceAnswer) -> Any:
    if not answer.ok:
        raise Unavailable(f"The catalog: {answer.error}")
    return answer.value


def _card(entity: Entity) -> UserCard:
    return UserCard(
        ref=str(entity.ref),
        name=entity.name,
        title=text_of(entity.profile.get("displayName")) or entity.title,
        picture=text_of(entity.profile.get("picture")),
        groups=[ref.rpartition("/")[2] for ref in entity.targets("memberOf")],
    )
