"""JavaScript's regular expressions in templates: matches, replacements, splits.

Anybody may write one: they are matched within the limits of `shared.guards.patterns`.
"""

import re
from collections.abc import Iterable
from typing import Any

from services.scaffolder.dialect.failure import TemplateLimitError, ValueFailure
from services.scaffolder.dialect.limits import RenderingBudget, in_force
from services.scaffolder.dialect.values import UNDEFINED, Pattern
from shared.guards.budgets import BudgetExceeded
from shared.guards.patterns import NotAPattern, Spans, compile_pattern

_SECONDS = 2.0
_MOST = 100_000
#: The cost of a match, whose spans are lists of pairs.
MATCH = 12
#: No name of a group holds a `<`, so a name that does not end is over at the next one.
_DOLLAR = re.compile(r"\$(?:([$&`'])|(\d{1,2})|<([^<>]*+)>)")


def spans(
    pattern: Pattern, text: str, count: int
) -> tuple[list[Spans], dict[str, int]]:
    """The spans of the matches in `text` by group, at most `count` (0 is all).

    Raises:
        ValueFailure: if the pattern is not one.
        TemplateLimitError: if matching takes longer than two seconds.
    """
    try:
        compiled = compile_pattern(pattern.source, pattern.flags)
        matches = compiled.spans(text, count or _MOST + 1, seconds=_SECONDS)
    except NotAPattern as error:
        raise ValueFailure(f"Invalid regular expression: {error.message}") from error
    except BudgetExceeded as error:
        raise TemplateLimitError(f"a regular expression: {error.message}") from error
    if len(matches) > _MOST:
        raise TemplateLimitError(f"a regular expression matches over {_MOST} times")
    in_force().spend(MATCH * len(matches))
    return matches, compiled.names


def is_match(pattern: Pattern, text: str) -> bool:
    """Whether it matches anywhere in `text`; raises as `spans` does."""
    return bool(spans(pattern, text, 1)[0])


def replace(
    pattern: Pattern,
    text: str,
    replacement: str,
    budget: RenderingBudget,
) -> str:
    """JavaScript's `text.replace(pattern, replacement)` with `$1`, `$&`, `$<name>`."""
    matches, names = spans(pattern, text, 0 if "g" in pattern.flags else 1)
    return replaced(text, matches, names, replacement, budget)


def replaced(
    text: str,
    matches: Iterable[Spans],
    names: dict[str, int],
    replacement: str,
    budget: RenderingBudget,
) -> str:
    """A text with each match replaced; the pieces are paid for before they are made."""
    parts: list[str] = []
    at = 0
    for groups in matches:
        start, end = groups[0]
        budget.write(start - at + expanded_size(replacement, text, groups))
        piece = expanded(replacement, text, groups, names)
        parts += (text[at:start], piece)
        at = end
    parts.append(text[at:])
    return "".join(parts)


def match_texts(pattern: Pattern, text: str) -> list[Any] | None:
    """JavaScript's `text.match(pattern)`: every match, or one with its groups."""
    is_global = "g" in pattern.flags
    matches, _ = spans(pattern, text, 0 if is_global else 1)
    pieces = [groups[0] for groups in matches]
    if matches and not is_global:
        pieces = matches[0]
    in_force().write(sum(end - start for start, end in pieces))
    return [text[a:b] if a >= 0 else UNDEFINED for a, b in pieces] or None


def expanded(
    replacement: str, text: str, groups: list[tuple[int, int]], names: dict[str, int]
) -> str:
    """A replacement with its `$…` filled in for one match."""

    def group(index: int) -> str:
        start, end = groups[index]
        return text[start:end] if start >= 0 else ""

    def one(match: re.Match[str]) -> str:
        sign, digits, name = match.groups()
        if sign:
            return {
                "$": "$",
                "&": group(0),
                "`": text[: groups[0][0]],
                "'": text[groups[0][1] :],
            }[sign]
        if name is not None:
            return (group(names[name]) if name in names else "") if names else match[0]
        for size in (len(digits), 1):
            index = int(digits[:size])
            if 0 < index < len(groups):
                return group(index) + digits[size:]
        return str(match[0])

    return _DOLLAR.sub(one, replacement) if "$" in replacement else replacement


def expanded_size(replacement: str, text: str, groups: list[tuple[int, int]]) -> int:
    """An upper bound of the expanded replacement's length, without making it."""
    if "$" not in replacement:
        return len(replacement)
    longest = max(end - start for start, end in groups)
    around = {"`": groups[0][0], "'": len(text) - groups[0][1]}
    signs = (match[1] for match in _DOLLAR.finditer(replacement))
    return len(replacement) + sum(around.get(sign, longest) for sign in signs)


def split(pattern: Pattern, text: str) -> list[Any]:
    """JavaScript's `text.split(pattern)`: groups are part of the answer."""
    matches, _ = spans(pattern, text, 0)
    parts: list[Any] = []
    at = 0
    for groups in matches:
        start, end = groups[0]
        if end == start and (start in {0, len(text)} or start == at):
            if start != at or start == 0:
                continue
            if start == len(text):
                break
        parts.append(text[at:start])
        parts += (text[a:b] if a >= 0 else None for a, b in groups[1:])
        at = end
    parts.append(text[at:])
    return parts
