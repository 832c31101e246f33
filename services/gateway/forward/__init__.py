"""Carries requests to the services behind `/api/{plugin}`, and answers unchanged."""
