"""Makes a definition fit a page: so many rows, so much text, and a note of the rest.

Every language's reader passes through here, so no definition makes a page that a
browser, or the portal, cannot hold. Beyond the limit the entries keep their names.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from markupsafe import Markup

from services.portal.definitions.model import (
    Definition,
    DefinitionEntry,
    DefinitionPart,
    DefinitionRow,
    Group,
    clip,
)
from services.portal.definitions.schemas import MORE
from services.portal.prose import ProseBudget
from shared.contracts.catalog import SEARCHED_CHARACTERS

#: Groups of what operations take and give, which search leaves out.
TYPES = frozenset(
    {
        *("schemas", "messages", "enumerations", "security"),
        *("types", "interfaces", "unions", "inputs", "scalars"),
    }
)
MOST_ENTRIES = 4_000
MOST_ROWS = 6_000
MOST_CHARACTERS = 900_000
#: For rendering all descriptions: some 900,000 characters of usual Markdown.
PROSE_MICROSECONDS = 1_000_000
#: What they may become: more than usual Markdown of that length does.
MOST_HTML = 3_000_000
LONGEST_TABLE = 500
LONGEST_NAME = 300
LONGEST_SUMMARY = 300
LONGEST_ABOUT = 8_000
LONGEST_CELL = 1_500
#: Deeper rows look like these: the style sheet knows no more.
DEEPEST_ROW = 7


def fit_to_page(definition: Definition) -> Definition:
    """The definition with as much as a page holds, and what is left out in `notes`."""
    page = _Page()
    about = clip(definition.about, LONGEST_ABOUT * 2)
    html = page.html(about)
    groups = [page.group(group) for group in definition.groups]
    return replace(
        definition,
        language=clip(definition.language, 100),
        title=clip(definition.title, LONGEST_NAME),
        version=clip(definition.version, 100),
        about=about,
        html=html,
        facts=_facts(definition.facts),
        groups=[group for group in groups if group.entries],
        notes=[*definition.notes, *page.notes(), *_search_notes(definition)],
    )


def _search_notes(definition: Definition) -> list[str]:
    """What the search for APIs may not find, of a definition with many operations."""
    words: set[str] = set()
    for group in definition.groups:
        if group.id not in TYPES:
            for entry in group.entries:
                words |= {entry.mark, entry.name, entry.summary, entry.id}
    if sum(len(word) + 1 for word in words) <= SEARCHED_CHARACTERS:
        return []
    note = (
        f"Search takes in the first {SEARCHED_CHARACTERS:,} characters of what names "
        "and describes the operations: it may not find this API by later ones."
    )
    return [note]


class _Page:
    def __init__(self) -> None:
        self._entries = MOST_ENTRIES
        self._rows = MOST_ROWS
        self._characters = MOST_CHARACTERS
        self._prose = ProseBudget(PROSE_MICROSECONDS, MOST_HTML)
        self._unlisted = 0
        self._bare = 0
        self._ids: Counter[str] = Counter()

    def html(self, about: str) -> Markup:
        """A description as the page shows it; all of them share one budget."""
        return self._prose.render(about)

    def notes(self) -> list[str]:
        """What does not stand on the page."""
        notes = []
        if self._bare:
            notes.append(f"The details of {self._bare:,} entries are left out.")
        if self._unlisted:
            notes.append(f"{self._unlisted:,} entries are not listed.")
        if notes:
            notes.append("The page shows the beginning; the download has everything.")
        return notes

    def group(self, group: Group) -> Group:
        first_entries = group.entries[: self._entries]
        self._entries -= len(first_entries)
        self._unlisted += len(group.entries) - len(first_entries)
        entries = [self._entry(entry) for entry in first_entries]
        return Group(
            group.id,
            clip(group.title, LONGEST_NAME),
            clip(group.about, LONGEST_CELL),
            entries,
        )

    def _entry(self, entry: DefinitionEntry) -> DefinitionEntry:
        name = clip(entry.name, LONGEST_NAME)
        summary = clip(entry.summary, LONGEST_SUMMARY)
        about = clip(entry.about, LONGEST_ABOUT)
        parts = [_part(part) for part in entry.parts]
        facts = _facts(entry.facts)
        characters = len(name) + len(summary)
        length = len(about) + sum(len(label) + len(value) for label, value in facts)
        if self._has_room(length, parts):
            characters += length + sum(map(_length, parts))
            self._rows -= sum(len(part.rows) for part in parts)
        else:
            self._bare += 1
            about, parts, facts = "", [], []
        self._characters -= characters
        return replace(
            entry,
            id=self._unique(entry.id),
            name=name,
            mark=clip(entry.mark, 40),
            gives=clip(entry.gives, LONGEST_NAME),
            summary=summary,
            about=about,
            html=self.html(about) if about not in ("", summary) else "",
            parts=parts,
            facts=facts,
        )

    def _has_room(self, characters: int, parts: Sequence[DefinitionPart]) -> bool:
        """Whether an entry fits whole; what is bare already needs no room."""
        if not characters and not parts:
            return True
        rows = sum(len(part.rows) for part in parts)
        length = characters + sum(map(_length, parts))
        return rows <= self._rows and length <= self._characters

    def _unique(self, identity: str) -> str:
        """An id that no other entry has: two operations may have one name."""
        self._ids[identity] += 1
        number = self._ids[identity]
        return identity if number == 1 else f"{identity}--{number}"


def _facts(facts: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(clip(label, 100), clip(value, LONGEST_CELL)) for label, value in facts]


def _part(part: DefinitionPart) -> DefinitionPart:
    rows = [_row(row) for row in part.rows[:LONGEST_TABLE]]
    if len(part.rows) > LONGEST_TABLE:
        rows.append(MORE)
    return replace(
        part,
        title=clip(part.title, LONGEST_NAME),
        about=clip(part.about, LONGEST_CELL),
        rows=rows,
    )


def _row(row: DefinitionRow) -> DefinitionRow:
    lengths = (len(row.name), len(row.type))
    short = max(lengths) <= LONGEST_NAME and len(row.about) <= LONGEST_CELL
    if short and row.depth <= DEEPEST_ROW:
        return row
    return replace(
        row,
        name=clip(row.name, LONGEST_NAME),
        type=clip(row.type, LONGEST_NAME),
        about=clip(row.about, LONGEST_CELL),
        depth=min(row.depth, DEEPEST_ROW),
    )


def _length(part: DefinitionPart) -> int:
    rows = sum(
        min(len(row.about), LONGEST_CELL) + len(row.name) + len(row.type)
        for row in part.rows
    )
    return rows + len(part.example) + len(part.raw) + len(part.about) + len(part.title)
