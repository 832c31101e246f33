"""What leaves the catalog with a location, and what stays or comes back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from services.portal.visit import Visit


@dataclass(frozen=True, slots=True)
class RemainingRefs:
    """Entities that stay, or come back if it `returns`: the first of `total` refs."""

    refs: tuple[str, ...]
    total: int
    returns: bool
    reason: str


@dataclass(frozen=True, slots=True)
class UnregisterPreview:
    """The refs that leave the catalog (the first of `total`), and what remains.

    `providers` still name the location when it is unregistered.
    """

    leaving: tuple[str, ...] = ()
    total: int = 0
    remaining: tuple[RemainingRefs, ...] = ()
    providers: tuple[str, ...] = ()
    is_allowed: bool = False


NOTHING = UnregisterPreview()


async def preview_unregister(
    visit: Visit, location: Mapping[str, Any]
) -> UnregisterPreview:
    """What unregistering a location would do, and whether the reader may do it."""
    path = f"/api/catalog/locations/{quote(str(location['id']))}/remaining"
    answer = await visit.get(path)
    own = f"{location['type']}:{location['target']}"
    leaving = answer["leaving"]
    return UnregisterPreview(
        leaving=tuple(leaving["entityRefs"]),
        total=leaving["totalEntities"],
        remaining=tuple(
            RemainingRefs(
                tuple(item["entityRefs"]),
                item["totalEntities"],
                item["returns"],
                _reason(item, own),
            )
            for item in answer["items"]
        ),
        providers=tuple(
            provider
            for item in answer["items"]
            if item["location"] == own
            for provider in item["providers"]
        ),
        is_allowed=answer["removable"],
    )


def _reason(item: Mapping[str, Any], own: str) -> str:
    """Why entities stay, or come back, after the location `own` is unregistered."""
    names = provider_names(item["providers"])
    if item["location"] == own:
        return f"Still provided by {names}, at the same address."
    if item["returns"]:
        return (
            f"{item['location']} ({names}) has the same names and gets them as "
            "soon as they are free."
        )
    return f"{item['location']} ({names}) leads to the same file."


def provider_names(buckets: Iterable[str]) -> str:
    """Who provides a location, in words: the provider acme and the configuration."""
    return " and ".join(map(_provider_name, buckets))


def _provider_name(bucket: str) -> str:
    if bucket.startswith("git:"):
        return f"the provider {bucket.removeprefix('git:')}"
    return "the configuration" if bucket == "config" else "a registration"
