"""Decisions of the policy: one for each request, by the Rego files."""
