"""Template entities: validity, form, and filters of expressions."""

#: What the command line may use.
__all__ = ["expression_syntax", "form_checks", "name_checks"]
