"""Proves the real servers: fetched once, checked, started, their data kept."""
