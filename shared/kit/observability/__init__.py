"""Logs, and the trace that runs through a request."""
