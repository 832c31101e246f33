"""Queries of the catalog: filters, predicates, conditions, pages, facets."""
