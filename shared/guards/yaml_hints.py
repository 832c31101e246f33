"""Advice on how to repair a text that is not YAML; libyaml only names the rule."""

from typing import Any

import yaml

from shared.guards.yaml_events import events

#: Placeholder for the position of an opening quote or bracket.
_OPENING = "{opened}"
_CONFLICT = ("<<<<<<<", "=======", ">>>>>>>")
#: What a text with its own quotation mark needs, by the mark before the error.
_INNER_QUOTES = {
    "'": "the text ends at the ' before this, inside of it ' is written ''",
    '"': 'the text ends at the " before this, inside of it " is written \\"',
}
#: libyaml's messages with the most frequent cause; the first that fits counts.
_HINTS = (
    (
        "mapping values are not allowed",
        "a text with ': ' in it needs quotes, or the line is indented too far",
    ),
    (
        "could not find expected ':'",
        "a name needs ': ' after it, a text may need quotes",
    ),
    ("unexpected end of stream", f"the quote{_OPENING} is not closed"),
    ("unexpected document indicator", f"the quote{_OPENING} is not closed"),
    (
        "did not find expected ',' or",
        f"the bracket{_OPENING} is not closed, or a comma is missing",
    ),
    (
        "did not find expected key",
        "this line or one above is indented unlike the others",
    ),
    (
        "invalid Unicode character escape code",
        "escapes from \\ud800 to \\udfff stand in pairs, one of this pair is missing",
    ),
    ("did not find expected '-' indicator", "the items of a list are indented alike"),
    ("did not find expected node content", f"the bracket{_OPENING} is not closed"),
)


def hint(text: str, error: yaml.MarkedYAMLError) -> str:
    """Advice on how to repair the text; "" if there is none."""
    mark, problem = error.problem_mark, error.problem or ""
    if mark is None:
        return ""
    line, column = mark.line, mark.column
    lines = text.split("\n", line + 1)[: line + 1]
    line_text = lines[line] if line < len(lines) else ""
    if any(last_line.startswith(_CONFLICT) for last_line in lines[-2:]):
        return "a merge conflict is left in the text"
    character = line_text[column : column + 1]
    if (
        character == "\t"
        or "\t" in line_text[: len(line_text) - len(line_text.lstrip())]
    ):
        return "indent with spaces, not with tabs"
    if "cannot start any token" in problem and character:
        return f"a text that begins with {character} needs quotes"
    if "did not find expected" in problem:
        quote = _long_quote(text, line) or _early_end(line_text, column)
        if quote:
            return quote
    advice = next((advice for begin, advice in _HINTS if begin in problem), "")
    return advice.replace(_OPENING, _opening_place(text, error))


def _opening_place(text: str, error: yaml.MarkedYAMLError) -> str:
    """The position of the quote or bracket that is not closed, "" if all are.

    libyaml reports the place where it stopped, often the end of the file.
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
    """Advice for a quoted text of several lines that ends just before the error.

    If its closing quote is missing, libyaml takes the next quote for it.
    """
    last: Any = None
    try:
        for event in events(text):
            last = event
    except yaml.YAMLError:
        is_quoted = isinstance(last, yaml.ScalarEvent) and last.style in {"'", '"'}
        if is_quoted and last.start_mark.line < last.end_mark.line == line:
            start = last.start_mark
            place = f"line {start.line + 1}, column {start.column + 1}"
            return f"the quote opened at {place} ends in this line, is one missing?"
    return ""


def _early_end(line: str, column: int) -> str:
    """Advice for a quoted text after whose end a text follows, as in `'it's'`."""
    before, after = line[:column][-1:], line[column:][:1]
    return _INNER_QUOTES.get(before, "") if after.strip() else ""


def _last_bracket(text: str) -> Any:
    """The position of the innermost bracket that is not closed."""
    marks: list[Any] = []
    try:
        for event in events(text):
            if isinstance(event, yaml.CollectionStartEvent):
                marks.append(event.start_mark if event.flow_style else None)
            elif isinstance(event, yaml.CollectionEndEvent):
                marks.pop()
    except yaml.YAMLError:
        return marks[-1] if marks else None
    return None
