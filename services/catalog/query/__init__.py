"""What can be asked of the catalog: filters, predicates, conditions, pages, facets."""
