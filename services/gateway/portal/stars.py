"""What a reader starred, kept where Backstage's own pages keep it: in user settings."""

from services.gateway.portal.visit import Visit, told

SETTING = "/api/user-settings/buckets/starredEntities/keys/entityRefs"
MOST_STARS = 200


async def starred(visit: Visit) -> tuple[str, ...]:
    """Canonical refs, oldest star first; guests have none."""
    if visit.identity.kind != "user":
        return ()
    answer = await visit.ask("GET", SETTING)
    value = (answer.json() or {}).get("value") if answer.ok else None
    refs = [str(each).lower() for each in value] if isinstance(value, list) else []
    whole = [ref for ref in refs if ":" in ref and "/" in ref and "," not in ref]
    return tuple(dict.fromkeys(whole))[-MOST_STARS:]


async def star(visit: Visit, ref: str, *, on: bool) -> None:
    """Adds or removes one star. Raises as the API answers."""
    others = [each for each in await starred(visit) if each != ref]
    value = [*others, ref] if on else others
    told(await visit.ask("PUT", SETTING, json={"value": value}))
