"""The published language: refs, errors, the envelope and every event's payload.

A promise with versions: it changes by an ADR, a schema and a new `vN`, never in
passing. Imports the standard library and pydantic, nothing else.
"""
