"""Errors of templates: the reason, the line and the column."""

from shared.contracts.errors import CallboardError


class TemplateRenderError(CallboardError):
    """A template's text is wrong; the message names line and column, from 1.

    Name and status are Backstage's: clients of the dry run match them.
    """

    name = "TemplateRenderError"
    status = 500

    def __init__(self, reason: str, *, line: int = 1, column: int = 1) -> None:
        super().__init__(f"Template error at line {line}, column {column}: {reason}")
        self.reason = reason
        self.line = line
        self.column = column


class TemplateLimitError(TemplateRenderError):
    """A template needs more work, text or time than one rendering may use."""

    name = "TemplateLimitError"
    status = 400


class UnknownWordError(TemplateRenderError):
    """A template names a filter, test, function or method that does not exist."""


class ValueFailure(Exception):
    """An operation that its operands do not allow; the evaluator adds the place."""
