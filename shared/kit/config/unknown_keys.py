"""Logs the keys of a configuration that no section has."""

from shared.kit.config.sections import Section, unknown_keys
from shared.kit.observability import logs


def report_unknown_keys(config: Section, service: str) -> None:
    """Log the unknown keys in the sections that a service reads."""
    for unknown in unknown_keys(type(config), config.model_dump(by_alias=True)):
        # Unknown top-level keys are sections of other services.
        if "." in unknown.key:
            log = logs.get_logger(service)
            log.warning("configuration_key_ignored", key=unknown.key)
