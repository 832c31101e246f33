"""Locations, providers and rules that the configuration names, for the catalog."""

import os
from pathlib import Path

from services.catalog.configuration import (
    CatalogConfig,
    CatalogRuleSection,
    ConfiguredLocation,
    KindRule,
)
from services.catalog.descriptor.kinds import read_kinds
from services.catalog.handlers.discovery import Provider
from services.catalog.handlers.scanning import DesiredLocations
from services.catalog.ingest import rules
from services.catalog.location_types import unread_type
from services.catalog.model import LocationRef
from shared.guards.globs import glob_base
from shared.kit.observability import logs


def desired_locations(config: CatalogConfig, folder: Path) -> DesiredLocations:
    """The locations and providers; relative files lie in the configuration's folder."""
    locations = [_location(item, folder) for item in _read_locations(config)]
    providers = [
        Provider(name, item.host, item.branch, item.catalog_path)
        for name, item in config.catalog.providers.git.items()
    ]
    return DesiredLocations(locations, providers)


def report_ignored_locations(config: CatalogConfig) -> None:
    """Log the locations whose type is one of Backstage's modules, or a mistake."""
    for item in config.catalog.locations:
        if not item.is_read:
            log = logs.get_logger("catalog")
            reason = unread_type(item.type)
            log.warning("configured_location_ignored", reason=reason)


def _read_locations(config: CatalogConfig) -> list[ConfiguredLocation]:
    return [item for item in config.catalog.locations if item.is_read]


def _location(item: ConfiguredLocation, folder: Path) -> LocationRef:
    if item.type == "file":
        return LocationRef("file", os.path.realpath(folder / item.target))
    return LocationRef(item.type, item.target)


def folders_of(desired: DesiredLocations) -> list[Path]:
    """The folders that configured file locations open for reading."""
    return [
        Path(glob_base(location.target) or "/")
        for location in desired.locations
        if location.type == "file"
    ]


def rules_of(config: CatalogConfig, folder: Path) -> rules.Rules:
    """Which kinds there are, and which may come from where: by default as Backstage's.

    Raises:
        Invalid: naming the file of an own kind, the field, and the rule it breaks.
    """
    allowed_kinds = (
        [rules.DEFAULT]
        if config.catalog.rules is None
        else [_rule(item, None) for item in config.catalog.rules]
    )
    for location in _read_locations(config):
        ref = _location(location, folder)
        patterns = (rules.LocationPattern(ref.type, exact=ref.target),)
        allowed_kinds += [_rule(item, patterns) for item in location.rules]
    kinds = read_kinds(folder / path for path in config.catalog.kinds)
    return rules.Rules(tuple(allowed_kinds), kinds)


def _rule(
    item: CatalogRuleSection, patterns: tuple[rules.LocationPattern, ...] | None
) -> rules.AllowedKinds:
    kinds = tuple(_kind(kind_rule) for kind_rule in item.allow)
    if patterns is None and item.locations is not None:
        patterns = tuple(
            rules.LocationPattern(
                location.get("type", "url"),
                location.get("exact"),
                location.get("pattern"),
            )
            for location in item.locations
        )
    for pattern in patterns or ():
        if pattern.pattern is not None:
            rules.rule_glob(pattern.pattern)
    return rules.AllowedKinds(kinds, patterns)


def _kind(kind_rule: str | KindRule) -> rules.KindPattern:
    if isinstance(kind_rule, str):
        return rules.KindPattern(kind_rule)
    return rules.KindPattern(kind_rule.kind, kind_rule.spec_type)
