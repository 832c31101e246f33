"""Front matter that mkdocs cannot read, which it shows as text of the page."""

import yaml
from mkdocs.utils.meta import YAML_RE


def front_matter_problem(text: str) -> str | None:
    """Why the front matter at the start of a page cannot be read; None if it can be.

    Text between two rules that is YAML but no mapping is text of the page.
    """
    block = YAML_RE.match(text)
    if block is None:
        return None
    try:
        # The reader of mkdocs, whose errors it drops: a C loader of plain values.
        yaml.load(block[1], yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        if mark is not None and mark.line >= block[1].count("\n"):
            # Something is not closed: it matters where that began.
            mark = error.context_mark or mark
        # The first line of the block is the second of the page.
        line = f"line {mark.line + 2}: " if mark is not None else ""
        return f"{line}{error.problem or 'it is no YAML'}"
    except Exception as error:  # noqa: BLE001
        # Values of a date, a number or a tag raise any error, and mkdocs goes on.
        return f"a value cannot be read: {' '.join(str(error).split())}"
    return None
