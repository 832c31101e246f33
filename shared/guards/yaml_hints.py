"""What to do about a text that is not YAML: libyaml names the rule, people ask how."""

from typing import Any

import yaml

#: Where the place stands at which something was opened.
_OPENED = "{opened}"
_CONFLICT = ("<<<<<<<", "=======", ">>>>>>>")
#: What libyaml says, and what people most often did; the first that fits counts.
_HINTS = (
    (
        "mapping values are not allowed",
        "a text with ': ' in it needs quotes, or the line is indented too far",
    ),
    (
        "could not find expected ':'",
        "a name needs ': ' after it, a text may need quotes",
    ),
    ("unexpected end of stream", f"the quote{_OPENED} is not closed"),
    ("unexpected document indicator", f"the quote{_OPENED} is not closed"),
    (
        "did not find expected ',' or",
        f"the bracket{_OPENED} is not closed, or a comma is missing",
    ),
    (
        "did not find expected key",
        "this line or one above is indented unlike the others",
    ),
    ("did not find expected '-' indicator", "the items of a list are indented alike"),
    ("did not find expected node content", f"the bracket{_OPENED} is not closed"),
)


def hint(text: str, error: yaml.MarkedYAMLError) -> str:
    """How the text may be mended; "" if nobody knows."""
    mark, problem = error.problem_mark, error.problem or ""
    if mark is None:
        return ""
    line, column = mark.line, mark.column
    lines = text.split("\n", line + 1)[: line + 1]
    here = lines[line] if line < len(lines) else ""
    if any(each.startswith(_CONFLICT) for each in lines[-2:]):
        return "a merge conflict is left in the text"
    at = here[column : column + 1]
    if at == "\t" or "\t" in here[: len(here) - len(here.lstrip())]:
        return "indent with spaces, not with tabs"
    if "cannot start any token" in problem and at:
        return f"a text that begins with {at} needs quotes"
    if "did not find expected" in problem:
        long_quote = _long_quote(text, line)
        if long_quote:
            return long_quote
    advice = next((advice for begin, advice in _HINTS if begin in problem), "")
    return advice.replace(_OPENED, _opening_place(text, error))


def _opening_place(text: str, error: yaml.MarkedYAMLError) -> str:
    """Where the quote or the bracket begins whose end is missing, "" if none is.

    libyaml stops where something else must not stand: often at the end of the file.
    """
    context = error.context or ""
    is_open = "quoted scalar" in context or "flow" in context
    mark = error.context_mark if is_open else None
    if "node content" in (error.problem or ""):
        mark = _last_bracket(text)
    if mark is None:
        return ""
    return f" opened at line {mark.line + 1}, column {mark.column + 1}"


def _long_quote(text: str, line: int) -> str:
    """The hint that a quoted text of several lines ends just before an error.

    Where an end is missing, the next quote is taken for it.
    """
    last: Any = None
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            last = event
    except yaml.YAMLError:
        is_quoted = isinstance(last, yaml.ScalarEvent) and last.style in {"'", '"'}
        if is_quoted and last.start_mark.line < last.end_mark.line == line:
            start = last.start_mark
            place = f"line {start.line + 1}, column {start.column + 1}"
            return f"the quote opened at {place} ends in this line, is one missing?"
    return ""


def _last_bracket(text: str) -> Any:
    """Where the innermost list or object in brackets begins that has no end."""
    marks: list[Any] = []
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.CollectionStartEvent):
                marks.append(event.start_mark if event.flow_style else None)
            elif isinstance(event, yaml.CollectionEndEvent):
                marks.pop()
    except yaml.YAMLError:
        return marks[-1] if marks else None
    return None
