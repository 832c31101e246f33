"""Answers between the form (texts under names) and the template (JSON values).

Of a question whose name is absent the default holds; one with an empty text was left
empty. Check boxes send an empty text of their own, so that the two differ.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from services.portal.forms.conditions import ConditionContext, is_object
from services.portal.forms.fields import key_of, type_of
from services.portal.forms.model import FormField, Path, Values
from services.portal.forms.repositories import LABELS, repo_parts, repo_url
from services.portal.forms.yaml_answers import value_by_schema, yaml_value
from shared.contracts.entity import mapping_of
from shared.contracts.errors import CallboardError
from shared.guards.yaml_text import FIELD, dump_yaml, load_yaml

LONGEST_TEXT = 20_000
MISSING = object()
REPOSITORY_PARTS = ("host", *LABELS)

FormTexts = Mapping[str, Sequence[str]]


def form_texts_of(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Texts by name, those of the form's answers, secrets and choices only."""
    texts_by_name: dict[str, list[str]] = {}
    for name, text in pairs:
        if name.startswith(("p.", "s.", "o.")):
            texts_by_name.setdefault(name, []).append(text[:LONGEST_TEXT])
    return texts_by_name


def values_of(
    fields: Iterable[FormField],
    form_texts: FormTexts,
    prefilled: Values,
    context: ConditionContext,
) -> dict[str, Any]:
    """The JSON object of all answers; what was not answered is not in it.

    A read-only question has its default, whatever the form sends.

    Raises:
        BudgetExceeded: if an answer's schema asks for too much work.
    """
    values: dict[str, Any] = {}
    for field in fields:
        if field.kind == "choice":
            continue
        value = _fixed_value(field, context)
        if value is MISSING:
            value = value_of(field, form_texts, context)
        if field.kind in {"constant", "hidden"}:
            value = field.schema.get("const", value)
        if value is MISSING:
            value = _at(prefilled, field.path)
        if value is MISSING:
            value = _default_of(field, context)
        if value is MISSING or (value is None and field.kind != "note"):
            continue
        place = values
        for part in field.path[:-1]:
            place = place.setdefault(part, {})
        place[field.path[-1]] = value
    return values


def add_required_objects(schema: Mapping[str, Any], values: dict[str, Any]) -> None:
    """Adds the objects that are required and of which nothing was answered, empty."""
    required = schema.get("required") or ()
    for name, part in mapping_of(schema.get("properties")).items():
        if not is_object(mapping_of(part)):
            continue
        if name in required:
            values.setdefault(name, {})
        if isinstance(values.get(name), dict):
            add_required_objects(part, values[name])


def _fixed_value(field: FormField, context: ConditionContext) -> Any:
    """The value of a read-only question; MISSING if its template gives none."""
    is_fixed = field.disabled and field.kind not in {"secret", "note"}
    return _default_of(field, context) if is_fixed else MISSING


def _default_of(field: FormField, context: ConditionContext) -> Any:
    value = field.schema.get("default", MISSING)
    if is_yaml(field) and isinstance(value, dict | list):
        return value_by_schema(value, field.schema, context)
    return value


def value_of(field: FormField, form_texts: FormTexts, context: ConditionContext) -> Any:
    """The answer to one question; MISSING if it was not asked, None if left empty."""
    if field.kind in {"secret", "note"}:
        return None
    url = typed_repo_url(field, form_texts) if field.kind == "repo" else None
    if url is not None:
        return url if repo_parts(url)["repo"] else None
    texts = form_texts.get(field.name)
    if texts is None:
        return MISSING
    if field.kind == "checks":
        return _chosen(field, [text for text in texts if text])
    if field.kind == "lines":
        return _lines(field, texts)
    return _single(field, texts[-1], context) if texts[-1].strip() else None


def is_yaml(field: FormField) -> bool:
    """Whether the answer is a list or an object that is written as YAML."""
    if field.kind in {"hidden", "textarea"}:
        return type_of(field.schema) in {"array", "object"}
    return field.kind == "yaml"


def _lines(field: FormField, texts: Sequence[str]) -> list[Any] | None:
    lines = [line.strip() for text in texts for line in text.splitlines()]
    items = field.schema.get("items")
    inner = type_of(items) if isinstance(items, Mapping) else "string"
    return [_typed_value(line, inner) for line in lines if line] or None


def _single(field: FormField, text: str, context: ConditionContext) -> Any:
    if is_yaml(field):
        return yaml_value(text, field.schema, context)
    if field.picker is not None:
        return field.picker.complete_ref(text)
    for option in field.options:
        if option.key == text:
            return option.value
    return _typed_value(text, type_of(field.schema))


def _chosen(field: FormField, texts: list[str]) -> list[Any] | None:
    values_by_key = {option.key: option.value for option in field.options}
    if field.picker is not None:
        # Without scripts all of them stand in one text.
        pieces = [piece for text in texts for piece in re.split(r"[,\n]", text)]
        texts = [field.picker.complete_ref(piece) for piece in pieces if piece.strip()]
    values = [values_by_key.get(text, text) for text in dict.fromkeys(texts) if text]
    return values or None


def _typed_value(text: str, kind: str) -> Any:
    """The text as a value of this type; any other text stays one and is refused."""
    if kind == "boolean":
        return {"true": True, "false": False}.get(text.strip().lower(), text)
    try:
        if kind == "integer":
            return _within_json(int(text.strip()), text)
        if kind == "number":
            number = float(text.strip())
            is_whole = number.is_integer() and "." not in text
            return _within_json(int(number) if is_whole else number, text)
    except (ValueError, OverflowError):
        return text
    return text.replace("\r\n", "\n")


def _within_json(number: float, text: str) -> Any:
    """The number; its text if JSON, which goes to other services, cannot say it."""
    is_too_large = isinstance(number, int) and abs(number) >= 2**63
    return text if is_too_large or not math.isfinite(number) else number


def yaml_errors(
    fields: Iterable[FormField], values: Values, errors: Mapping[Path, str]
) -> dict[Path, str]:
    """What is wrong with the YAML of wrong answers that are none, with its place."""
    texts: dict[Path, str] = {}
    for field in fields:
        value = _at(values, field.path)
        if field.kind == "yaml" and field.path in errors and isinstance(value, str):
            try:
                load_yaml(value, label="", limits=FIELD)
            except CallboardError as error:
                texts[field.path] = f"{error.message.removesuffix('.')}."
    return texts


def typed_repo_url(field: FormField, form_texts: FormTexts) -> str | None:
    """The repository whose parts were typed, some of which may be missing."""
    names = REPOSITORY_PARTS
    texts = {name: _last(form_texts, f"{field.name}#{name}") for name in names}
    if all(text is None for text in texts.values()):
        return None
    parts = {name: (text or "").strip() for name, text in texts.items()}
    return repo_url(parts, field.repo["types"])


def displayed_answer(field: FormField, values: Values, form_texts: FormTexts) -> Any:
    """The answer as the form shows it: a text, or texts for a set of boxes.

    YAML is shown as it was typed.
    """
    value = _at(values, field.path)
    typed = _last(form_texts, field.name)
    if is_yaml(field) and typed is not None:
        return typed
    if value is MISSING or value is None:
        return [] if field.kind == "checks" else ""
    items = value if isinstance(value, list) else [value]
    if field.kind == "checks":
        return [answer_key(field, item) for item in items]
    if field.kind == "lines":
        return "\n".join(key_of(item) for item in items)
    if isinstance(value, dict | list) and not field.options:
        return dump_yaml(value, blocks=False)
    return answer_key(field, value)


def answer_key(field: FormField, value: Any) -> str:
    """How the form names a value: as its choice, if it is one."""
    for option in field.options:
        if is_same(option.value, value):
            return option.key
    return key_of(value)


def is_same(one: Any, other: Any) -> bool:
    """Whether two values are one in JSON, where true is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def pairs_of(
    fields: Iterable[FormField], values: Values, form_texts: FormTexts
) -> Iterator[tuple[str, str]]:
    """The answers as they go into an address or into hidden inputs; no secrets.

    Of a repository that is no answer yet, the parts that were typed.
    """
    for field in fields:
        value = _at(values, field.path)
        if field.kind == "repo" and value is MISSING:
            names = [f"{field.name}#{name}" for name in REPOSITORY_PARTS]
            yield from ((n, form_texts[n][-1]) for n in names if n in form_texts)
        if field.kind == "secret":
            continue
        if field.kind == "choice":
            yield field.name, field.value
        elif value is MISSING or value is None:
            # Without an empty text the default would come back.
            if field.schema.get("default") is not None:
                yield field.name, ""
        elif field.kind == "checks":
            for item in value if isinstance(value, list) else [value]:
                yield field.name, answer_key(field, item)
        elif field.kind == "lines" and isinstance(value, list):
            yield field.name, "\n".join(key_of(item) for item in value)
        elif is_yaml(field) and field.name in form_texts:
            yield field.name, form_texts[field.name][-1]
        elif isinstance(value, dict | list) and not field.options:
            yield field.name, json.dumps(value)
        else:
            yield field.name, answer_key(field, value)


def secrets_of(fields: Iterable[FormField], form_texts: FormTexts) -> dict[str, str]:
    """What was typed into the fields for secrets, by the field's own name."""
    secrets = {}
    for field in fields:
        text = _last(form_texts, "s" + field.name[1:])
        if field.kind == "secret" and text:
            secrets[field.path[-1]] = text
    return secrets


def _last(form_texts: FormTexts, name: str) -> str | None:
    texts = form_texts.get(name)
    return texts[-1] if texts else None


def _at(values: Values, path: Sequence[str]) -> Any:
    value: Any = values
    for part in path:
        if not isinstance(value, Mapping) or part not in value:
            return MISSING
        value = value[part]
    return value
