"""Journeys through the gateway and the portal, on one system per session."""
