"""Forwards requests to the services behind `/api/{plugin}`, and their responses."""
