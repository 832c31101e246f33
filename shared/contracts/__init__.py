"""The published language: refs, errors, the envelope and every event's payload.

It is versioned: a change needs an ADR, a schema and a new `vN`. It imports only the
standard library and pydantic.
"""
