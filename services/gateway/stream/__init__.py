"""The event log as it happens, for whoever may see it (server-sent events)."""
