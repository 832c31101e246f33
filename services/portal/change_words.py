"""Fields that people do not write themselves, in words for the list of changes."""

from typing import Any

from services.portal.error_texts import message_text
from shared.contracts.entity import mapping_of, text_of

ERRORS = "status.items"
_ANNOTATIONS = "metadata.annotations.backstage.io/"
_LABELS = {
    ERRORS: "errors of the descriptor",
    f"{_ANNOTATIONS}managed-by-location": "file of the descriptor",
    f"{_ANNOTATIONS}managed-by-origin-location": "registered location",
    f"{_ANNOTATIONS}view-url": "link to the descriptor",
    f"{_ANNOTATIONS}edit-url": "link for editing the descriptor",
    f"{_ANNOTATIONS}source-location": "folder of the source code",
    f"{_ANNOTATIONS}orphan": "whether a location still names it",
}


def field_label(path: str) -> str:
    """What a field is called: its path, unless Callboard writes the field itself."""
    return _LABELS.get(path, path)


def change_label(path: str, before: object, after: object) -> str:
    """What a change of a field is called; of errors, whether they came or went."""
    if path != ERRORS:
        return field_label(path)
    if not before:
        return "the descriptor has an error"
    return "the descriptor has another error" if after else "the error is gone"


def shown_value(path: str, value: Any) -> Any:
    """What a field holds; errors as their texts."""
    if path != ERRORS or not isinstance(value, list):
        return value
    items = [mapping_of(item) for item in value]
    return "\n".join(
        message_text(text_of(item.get("message")) or text_of(item.get("type")))
        for item in items
    )
