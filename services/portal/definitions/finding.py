"""The entries of a definition that a search term means."""

from services.portal.definitions.model import Definition, DefinitionEntry

MOST = 12
LONGEST_TERM = 200


def matching(definition: Definition | None, term: str) -> list[DefinitionEntry]:
    """The first entries that have all words of `term` in what is said of them."""
    words = term[:LONGEST_TERM].lower().split()
    found: list[DefinitionEntry] = []
    if definition is None or not words:
        return found
    for group in definition.groups:
        for entry in group.entries:
            said = f"{entry.mark} {entry.name} {entry.summary} {entry.about} {entry.id}"
            text = f"{said} {group.title}".lower()
            if all(word in text for word in words):
                found.append(entry)
                if len(found) == MOST:
                    return found
    return found
