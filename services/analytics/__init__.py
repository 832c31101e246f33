"""Analytics: counts of what happened, hour by hour and day by day.

Owns windowed tables, derived from the events of all others: changes per owner, template
runs per outcome, docs builds per outcome, pushes per repository. Consumes
entity-changed, template-run, docs-built and git-push; publishes nothing. It is also the
example for consumers of your own (docs/analytics.md): start reading at `stream.py`.
"""
