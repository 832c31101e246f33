"""Template entities: validity, form, and filters of expressions."""
