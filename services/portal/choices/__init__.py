"""Choosing from many: what a combobox asks the server for, and the few it answers.

Entities, groups, tags and repositories that the reader sees, their own ones first.
"""
