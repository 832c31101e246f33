"""Questions made from a seed: all permissions, all kinds of subject, odd values."""

import random
from collections.abc import Iterator
from typing import Any

from services.gateway.model import PolicyInput
from services.gateway.policy.question import Questions
from shared.contracts.permissions import UNLISTED, permissions

#: Permissions that only `/authorize` asks about, and names that no rule knows.
FURTHER = (
    UNLISTED,
    "catalog.entity.create",
    "catalog.location.read",
    "catalog.ingestion.manage",
    "catalog.ingestion.read",
    "scaffolder.action.execute",
    "scaffolder.template.management",
    "scaffolder.template.step.read",
    "nobody.knows.this",
)
PERMISSIONS = sorted(permissions() | {*FURTHER})
KINDS = ("user", "guest", "service")
PLATFORM = "group:default/platform"
#: Strings that JSON, Rego or a careless comparison may treat in a way of their own.
ODD = (
    "",
    " ",
    "null",
    "true",
    "0",
    "-1e999",
    "user:default/ann ",
    "USER:DEFAULT/ANN",
    'user:default/"quoted"',
    "user:default/back\\slash",
    "user:default/{{ann}}",
    "user:default/%s",
    "user:default/new\nline\ttab\r",
    "user:default/zero\x00width",
    "user:default/\x7f\u0080\u2028\u2029\ufeff",
    "user:default/jörg-ß-ı-İ",
    "user:default/e\u0301",
    "user:default/é",
    "group:default/舞台",
    "group:default/🎭👩‍👩‍👧",
    "group:default/\U0010ffff",
    "group:default/" + "x" * 2000,
    "catalog.entity.read\x00",
    "Catalog.Entity.Read",
    "catalog.entity.read.",
    "decision",
    "input.subject",
    "data.callboard.authz",
)
ODD_KINDS = ("", "User", "user ", "admin", "services", "SERVICE", "null")
TEAMS: tuple[tuple[str, ...], ...] = (
    (),
    (PLATFORM,),
    ("group:default/other", PLATFORM, "group:default/舞台"),
    ("", "user:default/ann", "Group:Default/Platform"),
)
ENTITIES: tuple[dict[str, Any], ...] = tuple(
    {
        "kind": "Component",
        "metadata": {
            "name": "tickets",
            "namespace": "default",
            "annotations": {"callboard.dev/visibility": visibility}
            if visibility
            else {},
        },
        "spec": {},
        "relations": [{"type": "ownedBy", "targetRef": owner}],
    }
    for owner in ("user:default/person-1", PLATFORM, "group:default/舞台")
    for visibility in ("", "restricted", "Restricted")
)


def settings() -> list[Questions]:
    """What a configuration may say: on and off, and who runs the portal."""
    on = [Questions(enabled=True, platform_team=team) for team in TEAMS]
    return [*on, Questions(enabled=False, platform_team=TEAMS[1])]


def questions(seed: int, count: int) -> Iterator[PolicyInput]:
    """First every permission for every kind of subject, then anything."""
    chance = random.Random(seed)
    plain = [(permission, kind) for permission in PERMISSIONS for kind in KINDS]
    for number in range(count):
        if number < 2 * len(plain):
            permission, kind = plain[number % len(plain)]
        else:
            permission, kind = _permission(chance), _kind(chance)
        subject = _subject(chance, kind)
        ownership = _ownership(chance, subject)
        if number < 2 * len(plain):
            groups = (PLATFORM,) if number < len(plain) else ()
            ownership = (subject, *groups)
        yield PolicyInput(subject, kind, ownership, permission)  # type: ignore[arg-type]


def _permission(chance: random.Random) -> str:
    return chance.choice(PERMISSIONS if chance.random() < 0.85 else ODD)


def _kind(chance: random.Random) -> str:
    return chance.choice(KINDS if chance.random() < 0.9 else ODD_KINDS)


def _subject(chance: random.Random, kind: str) -> str:
    if chance.random() < 0.3:
        return chance.choice(ODD)
    return f"{kind}:default/person-{chance.randrange(50)}"


def _ownership(chance: random.Random, subject: str) -> tuple[str, ...]:
    size = chance.choice((0, 1, 2, 5, 40, 400))
    groups = [f"group:default/team-{chance.randrange(500)}" for _ in range(size)]
    odd = chance.sample(ODD, chance.choice((0, 0, 1, 3)))
    platform = [PLATFORM] * chance.choice((0, 0, 1, 2))
    refs = [subject, *groups, *odd, *platform]
    chance.shuffle(refs)
    return tuple(refs)
