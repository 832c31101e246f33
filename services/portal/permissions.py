"""What the policy allows a reader, asked once for all the buttons of a page.

The API decides again when a button is pressed; a missing answer counts as a no.
"""

from collections.abc import Iterable

from services.portal.visit import Visit

AUTHORIZE = "/api/permission/authorize"
#: Backstage's action of each permission that a page has a button for.
ACTIONS = {
    "catalog.entity.delete": "delete",
    "catalog.entity.refresh": "update",
    "catalog.location.create": "create",
    "catalog.location.delete": "delete",
    "scaffolder.task.create": "create",
}
RESOURCES = {
    "catalog.entity.delete": "catalog-entity",
    "catalog.entity.refresh": "catalog-entity",
    # It is decided by who owns what goes, although Backstage asks it without an entity.
    "catalog.location.delete": "catalog-entity",
}
WHY_NOT = "The portal's policy does not allow you this; ask the platform team."
WHY_NOT_GUEST = "Guests may read. Sign in as a person to do this."


async def allowed_permissions(
    visit: Visit, names: Iterable[str], ref: str = ""
) -> frozenset[str]:
    """Which of these permissions the reader has; of resources, on the entity `ref`."""
    items = []
    for name in names:
        permission = {
            "type": "resource" if name in RESOURCES else "basic",
            "name": name,
            "attributes": {"action": ACTIONS[name]},
        }
        item: dict[str, object] = {"id": name, "permission": permission}
        if name in RESOURCES:
            permission["resourceType"] = RESOURCES[name]
            item["resourceRef"] = ref
        items.append(item)
    answer = await visit.ask("POST", AUTHORIZE, json={"items": items})
    decisions = answer.json()["items"] if answer.ok else []
    return frozenset(
        str(item["id"]) for item in decisions if item.get("result") == "ALLOW"
    )


def why_not(visit: Visit) -> str:
    """The reason that stands at a button which the reader may not press."""
    return WHY_NOT_GUEST if visit.visitor.is_guest else WHY_NOT
