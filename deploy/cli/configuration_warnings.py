"""Values of a configuration that services start with and that lead nowhere.

Each warning is the dotted key of a value and a message.
"""

import difflib
import os
from collections.abc import Iterator
from pathlib import Path

from pydantic.alias_generators import to_camel

from services.catalog.configuration import CatalogRuleSection, CatalogSection
from services.catalog.descriptor_checks import read_kinds
from services.catalog.location_types import unread_type
from services.gateway.configuration import Auth, PermissionSection
from shared.contracts.errors import Invalid
from shared.guards.addresses import AddressRule, normal_netloc, parse_address
from shared.guards.globs import glob_base, is_pattern
from shared.kit.config.integrations import Backend, Integrations
from shared.kit.config.public_hosts import AZURE, VISUAL_STUDIO

Warnings = Iterator[tuple[str, str]]
#: What `auth.environment` may be without a provider that names it.
ENVIRONMENTS = {"development", "production"}
#: The kinds whose entities decide who belongs to an owner.
OWNER_KINDS = frozenset({"group", "user"})


def repeated_hosts(integrations: Integrations) -> Warnings:
    """The integrations whose host another one has."""
    first_by_host: dict[str, str] = {}
    for name in type(integrations).model_fields:
        for number, integration in enumerate(getattr(integrations, name)):
            key = f"integrations.{to_camel(name)}.{number}"
            first = first_by_host.setdefault(normal_netloc(integration.host), key)
            if first != key:
                yield f"{key}.host", f"{first} has the same host: the last counts"


def unreadable_sources(
    catalog: CatalogSection, integrations: Integrations, backend: Backend
) -> Warnings:
    """The providers and locations whose host nothing lets the portal read."""
    hosts = {normal_netloc(integration.host) for _, integration in integrations.each()}
    for name, provider in catalog.providers.git.items():
        if _netloc(f"https://{provider.host}/") not in hosts:
            yield f"catalog.providers.git.{name}.host", "no integration has this host"
    rules = [AddressRule(rule.host, rule.paths) for rule in backend.reading.allow]
    for number, location in enumerate(catalog.locations):
        if location.type != "url":
            continue
        key = f"catalog.locations.{number}.target"
        try:
            address = parse_address(location.target, users=True)
        except Invalid as error:
            yield key, error.message.removeprefix("url: ")
            continue
        is_azure = AZURE in hosts and address.netloc.endswith(VISUAL_STUDIO)
        is_readable = is_azure or address.netloc in hosts
        if not is_readable and not any(rule.covers(address) for rule in rules):
            yield key, "neither an integration nor backend.reading.allow is for it"


def _netloc(url: str) -> str | None:
    try:
        address = parse_address(url)
    except Invalid:
        return None
    return address.netloc if address.raw_path == "/" else None


def ignored_locations(catalog: CatalogSection) -> Warnings:
    """The locations whose type the catalog does not read."""
    for number, location in enumerate(catalog.locations):
        if not location.is_read:
            yield f"catalog.locations.{number}.type", unread_type(location.type)


def absent_files(catalog: CatalogSection, folder: Path) -> Warnings:
    """The `file` locations that are not there; of a pattern, the folder."""
    for number, location in enumerate(catalog.locations):
        if location.type != "file":
            continue
        path = folder / location.target
        if is_pattern(location.target) and not os.path.lexists(path):
            path = Path(glob_base(str(path)) or "/")
        if not os.path.exists(path):  # noqa: PTH110 - also False for names too long
            yield f"catalog.locations.{number}.target", f"there is no {path}"


def unknown_kinds(catalog: CatalogSection, folder: Path) -> Warnings:
    """The kinds in rules that are neither built in nor described by `catalog.kinds`."""
    try:
        names = [*read_kinds(folder / path for path in catalog.kinds)]
    except Invalid:
        return
    for key, rule in _rules(catalog):
        for number, item in enumerate(rule.allow):
            name = item if isinstance(item, str) else item.kind
            if name.lower() in map(str.lower, names):
                continue
            similar = difflib.get_close_matches(name, names, n=1)
            advice = f"; did you mean {similar[0]}?" if similar else ""
            below = "" if isinstance(item, str) else ".kind"
            yield f"{key}.allow.{number}{below}", f"there is no kind {name}{advice}"


def open_owner_kinds(
    catalog: CatalogSection, permission: PermissionSection, auth: Auth
) -> Warnings:
    """The rules by which anybody may say who belongs to an owner.

    What names a group that the catalog does not have is owned by its members as soon
    as somebody brings it in. Where one signs in as any user, that gives nothing more.
    """
    if not permission.enabled or auth.development_sign_in:
        return
    for number, rule in enumerate(catalog.rules or []):
        names = [item if isinstance(item, str) else item.kind for item in rule.allow]
        owners = sorted({name for name in names if name.lower() in OWNER_KINDS})
        if owners and _is_from_anywhere(rule):
            message = (
                f"whoever registers a {' or '.join(owners)} decides who owns what: "
                "allow it from your organisation's own file only (`locations` with "
                "`exact`)"
            )
            yield f"catalog.rules.{number}", message


def _is_from_anywhere(rule: CatalogRuleSection) -> bool:
    """Whether a rule is for all locations, or for all of a host."""
    if rule.locations is None:
        return True
    return any(
        location.get("type", "url") == "url"
        and "exact" not in location
        and not _names_a_folder(location.get("pattern", ""))
        for location in rule.locations
    )


def _names_a_folder(pattern: str) -> bool:
    """Whether addresses of a pattern have a host and the beginning of a path."""
    return len(glob_base(pattern).split("/")) > len(["https:", "", "host"])


def _rules(catalog: CatalogSection) -> Iterator[tuple[str, CatalogRuleSection]]:
    for number, rule in enumerate(catalog.rules or []):
        yield f"catalog.rules.{number}", rule
    for place, location in enumerate(catalog.locations):
        for number, rule in enumerate(location.rules):
            yield f"catalog.locations.{place}.rules.{number}", rule


def unknown_environment(auth: Auth) -> Warnings:
    """The environment, if it is none of a provider's and no usual one."""
    providers = (auth.providers.model_extra or {}).values()
    named = {name for item in providers if isinstance(item, dict) for name in item}
    if auth.environment not in ENVIRONMENTS | named:
        message = "no provider has this environment, which counts as production"
        yield "auth.environment", message
