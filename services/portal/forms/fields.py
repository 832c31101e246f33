"""Fields from a decided schema: which control asks for which property."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from services.portal.forms.alternatives import Choice
from services.portal.forms.conditions import is_object
from services.portal.forms.entity_pickers import ENTITY_PICKERS, picker_of, ui_hint
from services.portal.forms.model import FormField, Kind, Option, Path, Picker, Schema
from shared.contracts.entity import list_of, mapping_of

MANY_CHOICES = 5
MOST_CHOICES = 1_000
FEWEST_ROWS, MOST_ROWS = 2, 40
KINDS_BY_HINT: Mapping[str, Kind] = {
    "Secret": "secret",
    "password": "secret",
    "hidden": "hidden",
    "RepoUrlPicker": "repo",
    "textarea": "textarea",
    "MultilineInput": "textarea",
}
#: What may follow `ui:field`; anything else is asked for as its type says.
KNOWN_FIELDS = ENTITY_PICKERS | {
    "EntityTagsPicker",
    "EntityNamePicker",
    "RepoUrlPicker",
    "RepoBranchPicker",
    "MultilineInput",
    "Secret",
}
#: What a name may have; NAME_WORDS says it.
NAME_PATTERN = "^([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]$"
NAME_WORDS = (
    "Letters, digits, -, _ and ., at most 63 characters, beginning and ending with a "
    "letter or digit."
)


def fields_of(
    schema: Schema,
    controls: frozenset[str] = frozenset(),
    path: Path = (),
    choices: Sequence[Choice] = (),
) -> Iterator[FormField]:
    """The fields of a decided schema, in the order that it asks for.

    A choice stands before the questions of the chosen alternative. The fields of an
    object have its title and description, their part of its default, and are read-only
    if it is.
    """
    defaults = mapping_of(schema.get("default"))
    required = frozenset(map(str, schema.get("required") or ()))
    left = [choice for choice in choices if choice.path == path]
    for name in _sorted_names(schema):
        for choice in [choice for choice in left if name in choice.questions]:
            yield _choice_field(choice)
            left.remove(choice)
        part = _with_default(schema["properties"][name], defaults.get(name))
        place = (*path, name)
        if is_object(part):
            yield from _fields_of_object(part, place, choices)
        else:
            yield _field(part, place, name in required, controls=name in controls)
    yield from map(_choice_field, left)


def _fields_of_object(
    schema: Schema, path: Path, choices: Sequence[Choice]
) -> Iterator[FormField]:
    title = str(schema.get("title") or path[-1])
    about = str(schema.get("description") or schema.get("ui:description") or "")
    is_read_only = _is_read_only(schema)
    for field in fields_of(schema, frozenset(), path, choices):
        yield replace(
            field,
            group=field.group or title,
            group_help=field.group_help if field.group else about,
            disabled=field.disabled or is_read_only,
            options=_as_read_only(field.options) if is_read_only else field.options,
        )


def _with_default(schema: Schema, default: Any) -> Schema:
    """A part of an object, with what the object's default has for it.

    The part's own default is stronger, as in Backstage's form.
    """
    own = schema.get("default")
    if default is None or not (own is None or isinstance(own, Mapping)):
        return schema
    return {**schema, "default": _merged(default, own)}


def _merged(default: Any, own: Any) -> Any:
    if not (isinstance(default, Mapping) and isinstance(own, Mapping)):
        return default if own is None else own
    return {
        **default,
        **{name: _merged(default.get(name), value) for name, value in own.items()},
    }


def _as_read_only(options: tuple[Option, ...]) -> tuple[Option, ...]:
    """The choices, none of which can be chosen instead of the one that is."""
    return tuple(replace(option, is_disabled=True) for option in options)


def _is_read_only(schema: Schema) -> bool:
    hints = (
        ui_hint(schema, "disabled"),
        ui_hint(schema, "readonly"),
        schema.get("readOnly"),
    )
    return any(hints)


def _choice_field(choice: Choice) -> FormField:
    """The control that chooses an alternative, each by its title."""
    options = [
        Option(str(number), title, number) for number, title in enumerate(choice.titles)
    ]
    return FormField(
        path=choice.path,
        kind="choice",
        label=f"{choice.title} option" if choice.title else "Option",
        schema={},
        required=True,
        help=str(choice.alternatives[choice.chosen].get("description") or ""),
        options=tuple(options),
        controls=True,
        value=str(choice.chosen),
        own_name=choice.name,
    )


def _sorted_names(schema: Schema) -> list[str]:
    names = dict.fromkeys(str(name) for name in schema["properties"])
    order_given = schema.get("ui:order")
    if not order_given or not isinstance(order_given, list):
        return list(names)
    order = dict.fromkeys(map(str, order_given))
    rest = [name for name in names if name not in order]
    sorted_names: list[str] = []
    for name in order:
        sorted_names += rest if name == "*" else [name] if name in names else []
    return sorted_names if "*" in order else [*sorted_names, *rest]


def type_of(schema: Schema) -> str:
    """The one type that a field is made for."""
    kind = schema.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    named = [str(name) for name in kinds if name and name != "null"]
    if named:
        return named[0]
    if "items" in schema:
        return "array"
    choices = schema.get("enum")
    if (
        isinstance(choices, list)
        and choices
        and all(isinstance(c, bool) for c in choices)
    ):
        return "boolean"
    return "string"


def _field(
    schema: Schema,
    path: Path,
    required: bool,
    *,
    controls: bool,
) -> FormField:
    options = tuple(islice(_options(schema), MOST_CHOICES + 1))
    if len(options) > MOST_CHOICES:
        # Nobody looks through so many: it is typed, and checked as before.
        options = ()
    options = _with_own_keys(options)
    if _is_read_only(schema):
        options = _as_read_only(options)
    kind, picker = _control_kind(schema, options)
    items = schema.get("items")
    limits = _with_name_rule(schema)
    if type_of(schema) == "array" and isinstance(items, Mapping):
        limits = {**limits, "items": _with_name_rule(items)}
    pattern_words = NAME_WORDS if limits.get("pattern") == NAME_PATTERN else ""
    return FormField(
        path=path,
        kind=kind,
        label=str(schema.get("title") or path[-1]),
        schema=limits,
        required=required,
        help=_help(schema),
        hint=str(ui_hint(schema, "helperText") or ""),
        placeholder=str(ui_hint(schema, "placeholder") or ""),
        options=options,
        picker=picker,
        controls=controls,
        disabled=_is_read_only(schema),
        autofocus=bool(ui_hint(schema, "autofocus")),
        rows=_rows(schema),
        repo=_repo(schema) if kind == "repo" else {},
        pattern_words=pattern_words,
    )


def _help(schema: Schema) -> str:
    """What the question says of itself and its hint, both Markdown."""
    about = schema.get("description") or schema.get("ui:description")
    texts = (about, ui_hint(schema, "help"))
    return "\n\n".join(str(text) for text in texts if text)


def _rows(schema: Schema) -> int:
    """The height of a box for text; 0 for the usual one."""
    rows = ui_hint(schema, "rows")
    is_number = isinstance(rows, int | float) and not isinstance(rows, bool)
    return int(min(max(rows, FEWEST_ROWS), MOST_ROWS)) if is_number else 0


def _with_name_rule(schema: Schema) -> Schema:
    """The schema; of a question for a name with the rule of names."""
    is_name = ui_hint(schema, "field") == "EntityNamePicker"
    if is_name or schema.get("format") == "entity-name":
        return {"pattern": NAME_PATTERN, **schema}
    return schema


def _control_kind(
    schema: Schema, options: tuple[Option, ...]
) -> tuple[Kind, Picker | None]:
    special, widget = str(ui_hint(schema, "field")), str(ui_hint(schema, "widget"))
    kind = type_of(schema)
    picker = picker_of(schema)
    if picker is None and kind == "array":
        picker = picker_of(mapping_of(schema.get("items")))
    if picker is not None:
        is_list = kind == "array" or picker.choice_type == "tags"
        return ("checks" if is_list else "select"), picker
    if schema.get("type") in ("null", ["null"]):
        return "note", None
    for hint, hinted_kind in KINDS_BY_HINT.items():
        if hint in {special, widget}:
            return hinted_kind, None
    # A box that must be ticked is ticked by the reader.
    if "const" in schema and not isinstance(schema["const"], bool):
        return "constant", None
    return _plain_kind(schema, options, widget, kind), None


def _plain_kind(
    schema: Schema, options: tuple[Option, ...], widget: str, kind: str
) -> Kind:
    if kind == "array":
        return _array(schema, options)
    if kind == "boolean":
        has_names = bool(_names_of_choices(schema))
        return "radio" if has_names or widget in {"radio", "select"} else "check"
    if options:
        few = len(options) < MANY_CHOICES and widget != "select"
        return "radio" if few or widget == "radio" else "select"
    plain: dict[str, Kind] = {"integer": "number", "number": "number", "object": "yaml"}
    return plain.get(kind, "text")


def _array(schema: Schema, options: tuple[Option, ...]) -> Kind:
    if options:
        return "checks"
    items = schema.get("items")
    if isinstance(items, list):
        return "yaml"
    inner = type_of(items) if isinstance(items, Mapping) else "string"
    if isinstance(items, Mapping) and is_object(items):
        return "yaml"
    return "lines" if inner in {"string", "integer", "number"} else "yaml"


def _options(schema: Schema) -> Iterator[Option]:
    items = schema.get("items")
    names = _names_of_choices(schema)
    disabled = list_of(ui_hint(schema, "enumDisabled"))
    if type_of(schema) == "array" and isinstance(items, Mapping):
        schema = items
    named = [
        choice
        for key in ("oneOf", "anyOf")
        for choice in schema.get(key) or ()
        if isinstance(choice, Mapping) and "const" in choice
    ]
    if named:
        for choice in named:
            about = str(choice.get("description") or "")
            label = str(choice.get("title") or key_of(choice["const"]))
            yield Option(key_of(choice["const"]), label, choice["const"], about)
        return
    is_boolean = type_of(schema) == "boolean"
    values = schema.get("enum", [True, False] if is_boolean else None)
    names = names or _names_of_choices(schema)
    for number, value in enumerate(list_of(values)):
        label = str(names[number]) if number < len(names) else _label_of(value)
        yield Option(key_of(value), label, value, is_disabled=value in disabled)


def _names_of_choices(schema: Schema) -> Sequence[Any]:
    return list_of(ui_hint(schema, "enumNames")) or list_of(schema.get("enumNames"))


def _label_of(value: object) -> str:
    """A choice without a name of its own."""
    words = {True: "Yes", False: "No"}
    return words[value] if isinstance(value, bool) else key_of(value)


def _with_own_keys(options: tuple[Option, ...]) -> tuple[Option, ...]:
    """The choices, those with one key (1 and "1") told apart by their JSON."""
    counts = Counter(option.key for option in options)
    return tuple(
        option
        if counts[option.key] == 1
        else replace(option, key=json.dumps(option.value, default=str))
        for option in options
    )


def key_of(value: object) -> str:
    """A choice's name in the form; of an object or a list its JSON."""
    if isinstance(value, Mapping | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _repo(schema: Schema) -> dict[str, Any]:
    """What a repository's parts may be, each a list; [] for anything."""
    lists = {
        name: [str(item) for item in list_of(ui_hint(schema, f"allowed{name}"))]
        for name in ("Hosts", "Owners", "Organizations", "Projects", "Repos")
    }
    owners, organizations = lists["Owners"], lists["Organizations"]
    return {
        "hosts": lists["Hosts"],
        "organization": organizations or owners,
        "owner": owners or organizations,
        "workspace": owners,
        "project": lists["Projects"],
        "repo": lists["Repos"],
    }
