"""An entity's history in words: who changed what, why, and which lines.

Reads the API's `…/history`; sends no request.
"""

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from services.portal.change_words import (
    change_label,
    field_label,
    shown_value,
)
from services.portal.entities import Summary, kind_word, ref_title, split_ref
from services.portal.formats import moment

CAUSES = {
    "push": "Changed by a push",
    "registration": "Registered",
    "refresh": "Refreshed on request",
    "scan": "Found by the regular scan",
    "delete": "Removed",
    "template-run": "Made from a template",
    "config": "Named in the configuration",
}
LONGEST_VALUE = 20_000
#: Lines of each side that are compared: the comparison takes the product of both.
LINES_COMPARED = 200
LONGEST_LINE = 1_000
LINES_SHOWN = 60
#: Fields of one change that are shown with their lines.
CHANGES_SHOWN = 20
LINES_AROUND = 2
SECOND = len("2026-01-01T00:00:00")


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of a diff; `kind` is before, after or same."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class FieldChange:
    """What happened to one field."""

    path: str
    lines: tuple[DiffLine, ...]


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """A change as the time line shows it; `entities` where the page is of several.

    `paths` are the fields that changed, where no lines of them are at hand.
    """

    title: str
    author: str
    at: str
    revision: int
    source: str = ""
    commit: str = ""
    changes: tuple[FieldChange, ...] = ()
    entities: tuple[Summary, ...] = ()
    paths: tuple[str, ...] = ()


def actor_refs(items: Sequence[Mapping[str, Any]]) -> list[str]:
    """The refs of those who made the changes, as far as they are users."""
    return [
        str(item["actor"]).lower()
        for item in items
        if str(item.get("actor", "")).startswith("user:")
    ]


def moment_of(
    item: Mapping[str, Any],
    people: Mapping[str, Summary],
    entity: Summary | None = None,
) -> TimelineEntry:
    """One revision of the API in words."""
    cause = item.get("cause") or {}
    actor = str(item.get("actor") or "")
    person = people.get(actor.lower())
    name = person.title if person and not person.missing else _plain_actor(actor)
    kind = str(cause.get("kind") or "")
    return TimelineEntry(
        title=str(cause.get("subject") or CAUSES.get(kind) or "Changed"),
        author=str(cause.get("author") or name or "Somebody").partition(" <")[0],
        at=str(cause.get("changed_at") or item.get("at") or ""),
        revision=int(item.get("revision") or 0),
        source=str(cause.get("repository") or ""),
        commit=str(cause.get("commit") or ""),
        changes=changes_of(item.get("diff") or ()),
        entities=(entity,) if entity else (),
        paths=tuple(field_label(str(path)) for path in item.get("changed") or ()),
    )


def moments_of(
    items: Sequence[Mapping[str, Any]], people: Mapping[str, Summary]
) -> list[TimelineEntry]:
    """Revisions in words; comparing their texts is work for a thread."""
    return [moment_of(item, people) for item in items]


def changed_entity(item: Mapping[str, Any]) -> Summary:
    """The entity that a change is about; a deleted one has no link."""
    ref = str(item["entityRef"])
    key = split_ref(ref)[0]
    title = str(item.get("title") or ref_title(ref))
    is_deleted = bool(item.get("deleted"))
    return Summary(ref, kind_word(str(item["kind"])), key, title, missing=is_deleted)


def by_commit(changes: Iterable[TimelineEntry]) -> list[TimelineEntry]:
    """Changes newest first, those of one commit as one that names all its entities.

    Changes without a commit are one if the same person did the same in the same second.
    Of an entity that is named twice, the first summary stands.
    """
    groups: dict[str, list[TimelineEntry]] = {}
    for change in changes:
        key = change.commit or f"{change.at[:SECOND]} {change.title} {change.author}"
        groups.setdefault(key, []).append(change)
    merged = map(_merged, groups.values())
    return sorted(merged, key=lambda change: _second(change.at), reverse=True)


def _merged(changes: Sequence[TimelineEntry]) -> TimelineEntry:
    if len(changes) == 1:
        return changes[0]
    by_ref: dict[str, Summary] = {}
    for change in changes:
        for entity in change.entities:
            by_ref.setdefault(entity.ref, entity)
    return replace(changes[0], entities=tuple(by_ref.values()), changes=(), paths=())


def _second(at: str) -> float:
    then = moment(at)
    return then.timestamp() if then else 0.0


def changes_of(diff: Sequence[Mapping[str, Any]]) -> tuple[FieldChange, ...]:
    """The API's `[{path, before, after}]` with the lines that differ."""
    changes = [
        _change(str(item["path"]), item.get("before"), item.get("after"))
        for item in diff[:CHANGES_SHOWN]
    ]
    if len(diff) > CHANGES_SHOWN:
        rest = f"and {len(diff) - CHANGES_SHOWN} fields more"
        changes.append(FieldChange("…", (DiffLine("same", rest),)))
    return tuple(changes)


def _change(path: str, before: object, after: object) -> FieldChange:
    lines = lines_of(shown_value(path, before), shown_value(path, after))
    return FieldChange(change_label(path, before, after), lines)


def lines_of(before: object, after: object) -> tuple[DiffLine, ...]:
    """The lines that went and came; of long texts only those around a change.

    Equal lines at both ends are passed over first. Of what is left, so many lines are
    compared as a page can show.
    """
    old, new = _changed_lines(_lines(before), _lines(after))
    if len(old) <= 1 and len(new) <= 1:
        return tuple(
            [DiffLine("before", x) for x in old] + [DiffLine("after", x) for x in new]
        )
    kinds = {"-": "before", "+": "after", " ": "same"}
    lines = [
        DiffLine(kinds[line[0]], line[1:])
        for line in difflib.unified_diff(old, new, n=LINES_AROUND, lineterm="")
        if line[:3] not in {"---", "+++"} and line[:1] in kinds
    ]
    if len(lines) > LINES_SHOWN:
        rest = len(lines) - LINES_SHOWN
        lines = [*lines[:LINES_SHOWN], DiffLine("same", f"… and {rest} lines more")]
    return tuple(lines)


def _changed_lines(
    old: list[str], new: list[str]
) -> tuple[Sequence[str], Sequence[str]]:
    """Both without what is equal at the beginning and at the end, but for a few."""
    shorter = min(len(old), len(new))
    start = 0
    while start < shorter and old[start] == new[start]:
        start += 1
    end = 0
    while end < shorter - start and old[-end - 1] == new[-end - 1]:
        end += 1
    first, last = max(start - LINES_AROUND, 0), max(end - LINES_AROUND, 0)
    return (
        old[first : len(old) - last][:LINES_COMPARED],
        new[first : len(new) - last][:LINES_COMPARED],
    )


def _lines(value: object) -> list[str]:
    if value is None:
        return []
    text = (
        value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True)
    )
    lines = text[: LONGEST_VALUE * 5].splitlines() or [""]
    return [line[:LONGEST_LINE] for line in lines]


def _plain_actor(actor: str) -> str:
    return ref_title(actor) if ":" in actor else actor
