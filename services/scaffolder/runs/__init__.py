"""A run of a template: claimed, worked off step by step, its log and how it ends."""
