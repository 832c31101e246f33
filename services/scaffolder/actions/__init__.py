"""The built-in actions, one file each, registered by the same hook as a plugin's."""

from collections.abc import Iterable

from services.scaffolder.actions import (
    catalog_fetch,
    catalog_register,
    catalog_write,
    debug_log,
    debug_wait,
    fetch_plain,
    fetch_plain_file,
    fetch_template,
    fetch_template_file,
    fs_delete,
    fs_readdir,
    fs_rename,
    publish_git,
    workspace_template,
    workspace_template_file,
)
from services.scaffolder.actions.action import Action
from services.scaffolder.actions.hookspecs import hookimpl


class BuiltIn:
    """The plugin of the built-in actions."""

    @hookimpl
    def scaffolder_actions(self) -> Iterable[Action]:
        modules = (
            catalog_fetch,
            catalog_register,
            catalog_write,
            debug_log,
            debug_wait,
            fetch_plain,
            fetch_plain_file,
            fetch_template,
            fetch_template_file,
            fs_delete,
            fs_readdir,
            fs_rename,
            publish_git,
            workspace_template,
            workspace_template_file,
        )
        return [module.ACTION for module in modules]
