"""Bounds on the work that a stranger's input asks for (ADR 16).

Every reader, matcher, checker and writer of foreign content lives here, one module a
kind of content. Each takes its bound (time, bytes, depth, nodes) before the work and
raises an error that names the field and the rule. Nothing here knows a service.
"""
