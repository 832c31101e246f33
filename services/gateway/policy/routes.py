"""Which permission a request to a plugin needs, by the table that services share."""

from shared.contracts.permissions import Need, need_of


class RouteTable:
    """`Routes` over `shared.contracts.permissions`."""

    def need(self, plugin: str, method: str, path: str) -> Need:
        """What `method path` of `plugin` needs; `path` is below the plugin's root."""
        return need_of(plugin, method, path)
