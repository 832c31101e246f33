"""An installation's configuration: one file, the environment, and backing servers."""

from shared.kit.config.integrations import Integration, Integrations

__all__ = ["Integration", "Integrations"]
