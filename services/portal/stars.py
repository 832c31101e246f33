"""What a reader starred, stored as Backstage's pages store it: in user settings."""

from services.portal.model import ApiAnswer
from services.portal.visit import Visit, json_of

SETTING = "/api/user-settings/buckets/starredEntities/keys/entityRefs"
MOST_STARS = 200
NONE_YET = 404


async def starred_refs(visit: Visit) -> tuple[str, ...]:
    """Canonical refs, oldest star first; guests have none."""
    if visit.visitor.kind != "user":
        return ()
    return _refs(await visit.ask("GET", SETTING, is_secondary=True))


async def star(visit: Visit, ref: str, *, on: bool) -> None:
    """Adds or removes one star. Raises as the API answers."""
    answer = await visit.ask("GET", SETTING)
    if answer.status != NONE_YET:
        # A list that cannot be read now must not be replaced by this one star.
        json_of(answer)
    other_refs = [other for other in _refs(answer) if other != ref]
    value = [*other_refs, ref] if on else other_refs
    json_of(await visit.ask("PUT", SETTING, json={"value": value}))


def _refs(answer: ApiAnswer) -> tuple[str, ...]:
    value = (answer.json() or {}).get("value") if answer.ok else None
    refs = [str(item).lower() for item in value] if isinstance(value, list) else []
    whole = [ref for ref in refs if ":" in ref and "/" in ref and "," not in ref]
    return tuple(dict.fromkeys(whole))[-MOST_STARS:]
