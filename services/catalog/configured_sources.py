"""Locations, providers and rules that the configuration names, for the catalog."""

from pathlib import Path

from services.catalog.configuration import (
    CatalogConfig,
    CatalogRuleSection,
    ConfiguredLocation,
    KindRule,
)
from services.catalog.handlers.discovery import Provider
from services.catalog.handlers.scanning import DesiredLocations
from services.catalog.ingest import rules
from services.catalog.model import LocationRef
from shared.guards.globs import glob_base


def desired_locations(config: CatalogConfig, folder: Path) -> DesiredLocations:
    """The locations and providers; relative files lie in the configuration's folder."""
    locations = [_location(item, folder) for item in config.catalog.locations]
    providers = [
        Provider(name, item.host, item.branch, item.catalog_path)
        for name, item in config.catalog.providers.git.items()
    ]
    return DesiredLocations(locations, providers)


def _location(item: ConfiguredLocation, folder: Path) -> LocationRef:
    if item.type == "file":
        return LocationRef("file", str((folder / item.target).resolve()))
    return LocationRef(item.type, item.target)


def folders_of(wanted: DesiredLocations) -> list[Path]:
    """The folders that configured file locations open for reading."""
    return [
        Path(glob_base(one.target) or "/")
        for one in wanted.locations
        if one.type == "file"
    ]


def rules_of(config: CatalogConfig, folder: Path) -> rules.Rules:
    """Which kinds may come from where; without rules, Backstage's default."""
    found = (
        [rules.DEFAULT]
        if config.catalog.rules is None
        else [_rule(item, None) for item in config.catalog.rules]
    )
    for location in config.catalog.locations:
        at = _location(location, folder)
        where = (rules.Where(at.type, exact=at.target),)
        found += [_rule(item, where) for item in location.rules]
    return rules.Rules(tuple(found))


def _rule(
    item: CatalogRuleSection, where: tuple[rules.Where, ...] | None
) -> rules.AllowedKinds:
    kinds = tuple(_kind(allowed) for allowed in item.allow)
    if where is None and item.locations is not None:
        where = tuple(
            rules.Where(at.get("type", "url"), at.get("exact"), at.get("pattern"))
            for at in item.locations
        )
    for at in where or ():
        if at.pattern is not None:
            rules.rule_glob(at.pattern)
    return rules.AllowedKinds(kinds, where)


def _kind(allowed: str | KindRule) -> rules.KindPattern:
    if isinstance(allowed, str):
        return rules.KindPattern(allowed)
    return rules.KindPattern(allowed.kind, allowed.spec_type)
