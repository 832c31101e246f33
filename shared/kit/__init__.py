"""Machinery that several services need: bus, web, auth, Git, logs. No rules of theirs.

Plumbing, so it may change any day; it never reads a service's settings or nouns.
"""
