"""Searches the entries of a definition."""

from services.portal.definitions.model import Definition, DefinitionEntry

MOST = 12
LONGEST_TERM = 200


def matching_entries(definition: Definition | None, term: str) -> list[DefinitionEntry]:
    """The first entries with all words of `term` in their texts."""
    words = term[:LONGEST_TERM].lower().split()
    entries: list[DefinitionEntry] = []
    if definition is None or not words:
        return entries
    for group in definition.groups:
        for entry in group.entries:
            texts = (entry.mark, entry.name, entry.summary, entry.about, entry.id)
            text = " ".join((*texts, group.title)).lower()
            if all(word in text for word in words):
                entries.append(entry)
                if len(entries) == MOST:
                    return entries
    return entries
