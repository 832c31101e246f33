"""Secrets of runs: sealed, and taken out of all that people read."""
