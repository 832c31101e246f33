"""Runs of templates: claimed by a process, run step by step, logged, ended."""
