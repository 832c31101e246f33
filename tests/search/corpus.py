"""A made-up organisation of any size, the same one for the same seed, and questions."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

from services.search.model import PageSection
from tests.builders import api, component, group, system, template, user

Entity = dict[str, Any]
WORDS = tuple(
    """
    cart order payment invoice shipping billing ledger customer catalog price tax
    search index queue stream event portal gateway login session token audit report
    metric alert deploy build release canary rollback cluster node database cache
    library libraries running runner service services monolith frontend backend
    mobile warehouse stock return refund voucher discount loyalty newsletter mail
    Überweisung café naïve Straße data2 v2 http2 k8s bookStore 認証サービス 用户管理
    """.split()  # noqa: SIM905 - a list of words reads as words
)
OWNERS = tuple(f"team-{letter}" for letter in "abcdefgh")
LIFECYCLES = ("production", "experimental", "deprecated")
RESTRICTED = {"callboard.dev/visibility": "restricted"}
DOCUMENTED = {"backstage.io/techdocs-ref": "dir:."}


def entities(count: int, seed: int = 7) -> Iterator[Entity]:
    """So many entities of all kinds, each with its own name."""
    chance = random.Random(seed)
    for number in range(count):
        yield _entity(chance, number)


def _entity(chance: random.Random, number: int) -> Entity:
    words = chance.sample(WORDS, k=chance.randint(1, 3))
    name = "-".join([*(word.lower() for word in words if word.isascii()), str(number)])
    metadata: dict[str, Any] = {"description": sentence(chance, 14)}
    if chance.random() < 0.3:
        metadata["title"] = " ".join(word.title() for word in words)
    if chance.random() < 0.4:
        metadata["tags"] = chance.sample(("java", "python", "go", "rust", "web"), k=2)
    annotations = {}
    if chance.random() < 0.1:
        annotations |= RESTRICTED
    if number % 10 == 0:
        annotations |= DOCUMENTED
    if annotations:
        metadata["annotations"] = annotations
    owner, kind = chance.choice(OWNERS), number % 12
    if kind < 8:
        lifecycle = chance.choice(LIFECYCLES)
        return component(name, metadata, owner=owner, lifecycle=lifecycle)
    make = {8: api, 9: system, 10: template}.get(kind)
    if make is not None:
        return make(name, metadata)
    if chance.random() < 0.5:
        return group(name, metadata)
    return user(name, metadata, profile={"displayName": sentence(chance, 2)})


def sentence(chance: random.Random, longest: int) -> str:
    """Some words; now and then none."""
    return " ".join(chance.choices(WORDS, k=chance.randint(0, longest)))


def sections(ref: str, seed: int = 7) -> tuple[PageSection, ...]:
    """The pages of an entity's documentation."""
    chance = random.Random(f"{seed}{ref}")
    return tuple(
        PageSection(f"p{number}/", sentence(chance, 3) or "Page", sentence(chance, 60))
        for number in range(chance.randint(1, 4))
    )


def terms(count: int, seed: int = 11) -> Iterator[str]:
    """What people type: words, beginnings, slips, phrases, patterns."""
    chance = random.Random(seed)
    forms = (
        lambda: chance.choice(WORDS),
        lambda: " ".join(chance.sample(WORDS, k=2)),
        lambda: " ".join(chance.sample(WORDS, k=4)),
        lambda: chance.choice(WORDS)[: chance.randint(2, 4)],
        lambda: slipped(chance, chance.choice(WORDS)),
        lambda: f'"{" ".join(chance.sample(WORDS, k=2))}"',
        lambda: f"{chance.choice(WORDS)[:3]}*",
        lambda: f"*{chance.choice(WORDS)[-3:]}",
        lambda: f"{chance.choice(WORDS)}-{chance.randint(0, 500)}",
        lambda: "",
    )
    for number in range(count):
        yield forms[number % len(forms)]()


def slipped(chance: random.Random, word: str) -> str:
    """The word with one typing error."""
    place = chance.randrange(max(1, len(word) - 1))
    return word[:place] + word[place + 1 : place + 2] + word[place] + word[place + 2 :]


CHOICES: tuple[Mapping[str, Any], ...] = (
    {},
    {"types": "software-catalog"},
    {"types": "techdocs"},
    {"filters[kind]": ["component", "API"]},
    {"filters[lifecycle]": "production", "filters[kind]": "component"},
    {"filters[owner]": "team-a"},
    {"filters[tags]": "java"},
)
