"""Tells in the log which keys of a configuration mean nothing."""

from shared.kit.config.sections import Section, unknown_keys
from shared.kit.observability import logs


def report_unknown_keys(config: Section, service: str) -> None:
    """Log the keys that mean nothing in the sections that a service reads."""
    for unknown in unknown_keys(type(config), config.model_dump(by_alias=True)):
        # At the top are sections of other services.
        if "." in unknown.key:
            log = logs.get_logger(service)
            log.warning("configuration_key_ignored", key=unknown.key)
