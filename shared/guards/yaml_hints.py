"""What to do about a text that is not YAML: libyaml names the rule, people ask how."""

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
    ("unexpected end of stream", "a quote is not closed"),
    ("did not find expected ',' or", "a bracket is not closed, or a comma is missing"),
    (
        "did not find expected key",
        "this line or one above is indented unlike the others",
    ),
    ("did not find expected '-' indicator", "the items of a list are indented alike"),
    ("did not find expected node content", "a bracket is not closed"),
)


def hint(text: str, problem: str, *, line: int, column: int) -> str:
    """How the text may be mended at this place (from 0); "" if nobody knows."""
    lines = text.split("\n", line + 1)[: line + 1]
    here = lines[line] if line < len(lines) else ""
    if any(each.startswith(_CONFLICT) for each in lines[-2:]):
        return "a merge conflict is left in the text"
    at = here[column : column + 1]
    if at == "\t" or "\t" in here[: len(here) - len(here.lstrip())]:
        return "indent with spaces, not with tabs"
    if "cannot start any token" in problem and at:
        return f"a text that begins with {at} needs quotes"
    return next((advice for begin, advice in _HINTS if begin in problem), "")
