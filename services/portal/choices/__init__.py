"""Choices of comboboxes: what a field offers, and the few that fit what is typed.

Entities, groups, tags and repositories that the reader sees, their own ones first.
"""
