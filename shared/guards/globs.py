"""Globs as Backstage reads them: `*`, `**`, classes, braces, extglobs, hidden files.

A bit automaton matches a path folder by folder, without regular expressions: the work
is bounded by the product of the pattern's and the path's length, and by a budget of
steps. `**` stands for any number of folders, also none. A name that begins with a dot
matches only if the pattern spells the dot, or with the option `dot`.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import bracex

from shared.contracts.errors import Invalid
from shared.guards.glob_names import NameBudget, NamePattern, parse_name

PATTERN_LIMIT = 1024
PATH_LIMIT = 4096
#: The most patterns that the braces of one pattern may expand to.
EXPANSION_LIMIT = 256
BRACE_DEPTH_LIMIT = 16
#: Steps of one match, and of one selection from many paths (about two seconds).
MATCH_STEPS = 100_000
SELECT_STEPS = 4_000_000
#: The most patterns of one list, and what their braces may expand to together.
LIST_LIMIT = 500
LIST_EXPANSIONS = 2_000
#: Steps of all matches of one list (about ten seconds).
LIST_STEPS = 20_000_000
_ANY_FOLDERS = "**"
_MAGIC = frozenset("*?[]{}()!+@")


def joined_paths(paths: Iterable[str]) -> bytes:
    """Paths as one byte string, to be sent to another process."""
    return "\0".join(paths).encode("utf-8", "surrogatepass")


def select_paths(pattern: str, label: str, joined: bytes) -> list[str]:
    """The paths in the result of `joined_paths` that match a pattern, in their order.

    A pattern that equals one of the paths selects only that path.

    Raises:
        Invalid: if that takes too many steps.
    """
    paths = joined.decode("utf-8", "surrogatepass").split("\0")
    if pattern in paths:
        return [pattern]
    return Glob(pattern, label=label).select(paths)


def is_pattern(text: str) -> bool:
    """Whether a text can match other paths than the one that it spells."""
    if not _MAGIC.intersection(text):
        return False
    return _fixed_name(text) is None


class Glob:
    """A pattern of paths, parsed once.

    `label` names the field in errors. `base` is the folder before the first wildcard,
    without a trailing slash: every match lies below it.

    Raises:
        Invalid: if the pattern is too long, or its braces expand to too many patterns.
    """

    def __init__(
        self,
        pattern: str,
        *,
        dot: bool = False,
        ignore_case: bool = False,
        label: str = "pattern",
    ) -> None:
        self.pattern = pattern
        self.base = glob_base(pattern)
        self._label = label
        self._dot = dot
        self._ignore_case = ignore_case
        expansions = expand_braces(pattern, label=label)
        self.expansions = len(expansions)
        self._automaton = _Automaton(
            [_pattern_parts(text) for text in expansions],
            dot=dot,
            ignore_case=ignore_case,
        )

    def matches(self, path: str) -> bool:
        """Whether the whole path matches.

        Raises:
            Invalid: if that takes too many steps.
        """
        return self._automaton.accepts(path, self._budget(MATCH_STEPS), {})

    def matches_parent(self, path: str, budget: NameBudget | None = None) -> bool:
        """Whether the path, or a folder above it, matches; raises as `select`."""
        budget = budget or self._budget(MATCH_STEPS)
        return self._automaton.accepts(path, budget, {}, parents=True)

    def select(
        self, paths: Iterable[str], budget: NameBudget | None = None
    ) -> list[str]:
        """The paths that match, in their order; several patterns may share a budget.

        Raises:
            Invalid: if that takes too many steps.
        """
        budget, masks = budget or self._budget(SELECT_STEPS), dict[str, int]()
        accepts = self._automaton.accepts
        return [path for path in paths if accepts(path, budget, masks)]

    def folder_test(self) -> Callable[[str], bool]:
        """A test whether a match may lie below a folder, by the same rules as matches.

        It says which folders of a tree are worth listing. All its calls together have
        the budget of one selection, and raise as `select` does.
        """
        budget, masks = self._budget(SELECT_STEPS), dict[str, int]()
        return lambda folder: self._automaton.leads_on(folder, budget, masks)

    def _budget(self, steps: int) -> NameBudget:
        return NameBudget(steps, f"{self._label}: {self.pattern[:80]!r} is too complex")


class GlobList:
    """Patterns of which any may match; `!pattern` excludes from the ones before it.

    A pattern that matches a folder matches everything in the folder. All matches of a
    list share one budget, however many patterns and paths there are.

    Raises:
        Invalid: if there are too many patterns, or one of them is not accepted.
    """

    def __init__(
        self, patterns: Sequence[str], *, dot: bool = False, label: str = "patterns"
    ) -> None:
        self._globs: list[tuple[bool, Glob]] = []
        self._budget = NameBudget(LIST_STEPS, f"{label}: too complex for so many files")
        check_list(patterns, label)
        expansions = 0
        for pattern in patterns:
            is_negative = pattern.startswith("!") and not pattern.startswith("!(")
            glob = Glob(pattern[is_negative:], dot=dot, label=label)
            self._globs.append((is_negative, glob))
            expansions += glob.expansions
            if expansions > LIST_EXPANSIONS:
                raise Invalid(f"{label}: means over {LIST_EXPANSIONS} patterns")

    def matches(self, path: str) -> bool:
        """Whether a pattern matches the path, and no later one excludes it.

        Raises:
            Invalid: if this and the matches before take too many steps.
        """
        for is_negative, glob in reversed(self._globs):
            if glob.matches_parent(path, self._budget):
                return not is_negative
        return False


def check_list(patterns: Sequence[str], label: str) -> None:
    """Refuse a list of too many patterns before any is parsed.

    Raises:
        Invalid: naming the limit.
    """
    if len(patterns) > LIST_LIMIT:
        raise Invalid(f"{label}: at most {LIST_LIMIT} patterns, not {len(patterns)}")


def glob_base(pattern: str) -> str:
    """The folder before the first wildcard; without wildcards, the path's folder."""
    folders, _, _ = pattern.rpartition("/")
    base: list[str] = []
    for name in folders.split("/"):
        literal = _fixed_name(name)
        if literal is None or "{" in name:
            break
        base.append(literal)
    return "/".join(base)


def expand_braces(pattern: str, *, label: str = "pattern") -> list[str]:
    """The patterns that `{a,b}` and `{1..3}` stand for.

    Raises:
        Invalid: if there are more than `EXPANSION_LIMIT`, or the pattern is too long.
    """
    if len(pattern) > PATTERN_LIMIT:
        raise Invalid(f"{label}: is over the limit of {PATTERN_LIMIT} characters")
    if "\0" in pattern:
        raise Invalid(f"{label}: must not hold NUL")
    if "{" not in pattern:
        return [pattern]
    if pattern.count("{") > BRACE_DEPTH_LIMIT * 2:
        raise Invalid(f"{label}: holds over {BRACE_DEPTH_LIMIT * 2} braces")
    try:
        return bracex.expand(pattern, keep_escapes=True, limit=EXPANSION_LIMIT)
    except (bracex.ExpansionLimitException, RecursionError) as error:
        raise Invalid(
            f"{label}: {pattern[:80]!r} means over {EXPANSION_LIMIT} patterns"
        ) from error


class _Automaton:
    """All expansions of a pattern at once, with one bit for each segment of each."""

    def __init__(
        self, expansions: Sequence[Sequence[str]], *, dot: bool, ignore_case: bool
    ) -> None:
        self._dot = dot
        self._ignore_case = ignore_case
        self._starts = self._ends = self._folders = 0
        places: dict[str, int] = {}
        offset = 0
        for names in expansions:
            self._starts |= 1 << offset
            for place, name in enumerate(names, offset):
                if name == _ANY_FOLDERS:
                    self._folders |= 1 << place
                else:
                    places[name] = places.get(name, 0) | 1 << place
            offset += len(names) + 1
            self._ends |= 1 << (offset - 1)
        self._literals: dict[str, int] = {}
        self._wild: list[tuple[NamePattern, int]] = []
        for name, mask in places.items():
            parsed = parse_name(name, dot=dot, ignore_case=ignore_case)
            if parsed.literal is None:
                self._wild.append((parsed, mask))
            else:
                literal_mask = self._literals.get(parsed.literal, 0)
                self._literals[parsed.literal] = literal_mask | mask

    def accepts(
        self,
        path: str,
        budget: NameBudget,
        masks: dict[str, int],
        *,
        parents: bool = False,
    ) -> bool:
        """Whether the path, or with `parents` one of its folders, is accepted."""
        return bool(self._state(path, budget, masks, parents=parents) & self._ends)

    def leads_on(self, path: str, budget: NameBudget, masks: dict[str, int]) -> bool:
        """Whether a path that begins with this one, and is longer, may be accepted."""
        return bool(self._state(path, budget, masks) & ~self._ends)

    def _state(
        self,
        path: str,
        budget: NameBudget,
        masks: dict[str, int],
        *,
        parents: bool = False,
    ) -> int:
        """The places of the patterns after the path, or a folder that is accepted."""
        if len(path) > PATH_LIMIT:
            return 0
        # `**` never follows `**`, so one shift skips it.
        state = self._starts | (self._starts & self._folders) << 1
        names = _split(path)
        budget.spend(len(names))
        for name in names:
            if parents and state & self._ends:
                break
            mask = masks.get(name)
            if mask is None:
                mask = masks[name] = self._mask(name, budget)
            any_depth = state & self._folders if self._dot or name[0] != "." else 0
            state = (state & mask) << 1 | any_depth
            state |= (state & self._folders) << 1
            if not state:
                break
        return state

    def _mask(self, name: str, budget: NameBudget) -> int:
        compared = name.lower() if self._ignore_case else name
        bits = self._literals.get(compared, 0)
        for pattern, mask in self._wild:
            if pattern.matches(compared, budget):
                bits |= mask
        return bits


def _split(path: str) -> list[str]:
    names = path.split("/")
    if "" in names or "." in names:
        return [name for name in names if name not in ("", ".")]
    return names


def _pattern_parts(pattern: str) -> list[str]:
    """The pattern's segments, without empty ones and without `**` after `**`."""
    names: list[str] = []
    for name in _split(pattern):
        if name != _ANY_FOLDERS or names[-1:] != [_ANY_FOLDERS]:
            names.append(name)
    # `docs/**` matches what lies in the folder, not the folder itself.
    return [*names, "*"] if names[-1:] == [_ANY_FOLDERS] else names


@lru_cache(256)
def _fixed_name(text: str) -> str | None:
    """The path that a text without wildcards spells; None if it has wildcards."""
    if len(text) > PATTERN_LIMIT:
        return None if _MAGIC.intersection(text) else text
    if expand_braces(text) != [text]:
        return None
    names = [parse_name(name).literal for name in text.split("/")]
    return None if None in names else "/".join(name or "" for name in names)
