"""Fields from a decided schema: which control asks for which property."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from services.portal.forms.alternatives import Choice
from services.portal.forms.conditions import is_object
from services.portal.forms.model import FormField, Kind, Option, Path, Picker, Schema
from shared.contracts.entity import list_of
from shared.contracts.ref import DEFAULT_NAMESPACE

ENTITY_PICKERS = frozenset(
    {
        "EntityPicker",
        "OwnerPicker",
        "OwnedEntityPicker",
        "MultiEntityPicker",
        "MyGroupsPicker",
    }
)
MANY_CHOICES = 5
MOST_CHOICES = 1_000
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
) -> list[FormField]:
    """The fields of a decided schema, in the order that it asks for.

    A choice stands before the questions of the chosen alternative. The fields of an
    object have its title and description.
    """
    required = frozenset(map(str, schema.get("required") or ()))
    fields: list[FormField] = []
    left = [choice for choice in choices if choice.path == path]
    for name in _sorted_names(schema):
        for choice in [choice for choice in left if name in choice.questions]:
            fields.append(_choice_field(choice))
            left.remove(choice)
        part = schema["properties"][name]
        place = (*path, name)
        if is_object(part):
            fields += _fields_of_object(part, place, choices)
        else:
            fields.append(
                _field(part, place, name in required, controls=name in controls)
            )
    return fields + [_choice_field(choice) for choice in left]


def _fields_of_object(
    schema: Schema, path: Path, choices: Sequence[Choice]
) -> Iterator[FormField]:
    title = str(schema.get("title") or path[-1])
    about = str(schema.get("description") or schema.get("ui:description") or "")
    for field in fields_of(schema, frozenset(), path, choices):
        is_own = not field.group
        yield replace(field, group=title, group_help=about) if is_own else field


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
    kind, picker = _control_kind(schema, options)
    limits = schema
    if (
        _ui(schema, "field") == "EntityNamePicker"
        or schema.get("format") == "entity-name"
    ):
        limits = {"pattern": NAME_PATTERN, **schema}
    pattern_words = NAME_WORDS if limits.get("pattern") == NAME_PATTERN else ""
    return FormField(
        path=path,
        kind=kind,
        label=str(schema.get("title") or path[-1]),
        schema=limits,
        required=required,
        help=str(schema.get("description") or schema.get("ui:description") or ""),
        hint=str(schema.get("ui:help") or ""),
        placeholder=str(_ui(schema, "placeholder") or ""),
        options=options,
        picker=picker,
        controls=controls,
        disabled=bool(_ui(schema, "disabled") or schema.get("ui:readonly")),
        autofocus=bool(_ui(schema, "autofocus")),
        repo=_repo(schema) if kind == "repo" else {},
        pattern_words=pattern_words,
    )


def _ui(schema: Schema, name: str) -> Any:
    """A hint, written `ui:name` or inside `ui:options`."""
    options = schema.get("ui:options")
    inner = options.get(name) if isinstance(options, Mapping) else None
    return schema.get(f"ui:{name}", inner)


def _control_kind(
    schema: Schema, options: tuple[Option, ...]
) -> tuple[Kind, Picker | None]:
    special, widget = str(_ui(schema, "field")), str(_ui(schema, "widget"))
    kind = type_of(schema)
    if special in ENTITY_PICKERS:
        picker = _picker(schema, special)
        return ("checks" if kind == "array" else "select"), picker
    if special == "EntityTagsPicker":
        return "checks", Picker("tags")
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
        return "radio" if widget in {"radio", "select"} else "check"
    if options:
        few = len(options) < MANY_CHOICES and widget != "select"
        return "radio" if few or widget == "radio" else "select"
    plain: dict[str, Kind] = {"integer": "number", "number": "number", "object": "yaml"}
    return plain.get(kind, "text")


def _array(schema: Schema, options: tuple[Option, ...]) -> Kind:
    if options:
        return "checks"
    items = schema.get("items")
    inner = type_of(items) if isinstance(items, Mapping) else "string"
    if isinstance(items, Mapping) and is_object(items):
        return "yaml"
    return "lines" if inner in {"string", "integer", "number"} else "yaml"


def _options(schema: Schema) -> Iterator[Option]:
    items = schema.get("items")
    names = list_of(_ui(schema, "enumNames"))
    disabled = list_of(_ui(schema, "enumDisabled"))
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
    elif isinstance(schema.get("enum"), list):
        names = names or list_of(schema.get("enumNames"))
        for number, value in enumerate(schema["enum"]):
            label = str(names[number]) if number < len(names) else key_of(value)
            yield Option(key_of(value), label, value, is_disabled=value in disabled)
    elif type_of(schema) == "boolean":
        yield Option("true", "Yes", True)
        yield Option("false", "No", False)


def key_of(value: object) -> str:
    """A choice's name in the form."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _picker(schema: Schema, special: str) -> Picker:
    catalog_filter = _ui(schema, "catalogFilter")
    sets = (
        catalog_filter
        if isinstance(catalog_filter, list)
        else [catalog_filter]
        if catalog_filter
        else []
    )
    filters = tuple(
        text
        for text in (
            _statement(conditions)
            for conditions in sets
            if isinstance(conditions, Mapping)
        )
        if text
    )
    allowed = _ui(schema, "allowedKinds")
    if not filters and isinstance(allowed, list) and allowed:
        filters = (",".join(f"kind={kind}" for kind in allowed),)
    if not filters and special == "OwnerPicker":
        filters = ("kind=group,kind=user",)
    if special == "MyGroupsPicker":
        return Picker("groups", free=False, default_kind="group")
    usual = "group" if special == "OwnerPicker" else ""
    return Picker(
        "entities",
        filters,
        own=special == "OwnedEntityPicker",
        free=_ui(schema, "allowArbitraryValues") is not False,
        default_kind=str(_ui(schema, "defaultKind") or usual),
        default_namespace=str(_ui(schema, "defaultNamespace") or DEFAULT_NAMESPACE),
    )


def _statement(filters: Mapping[str, Any]) -> str:
    """A `catalogFilter` object in the catalog's filter language."""
    parts: list[str] = []
    for key, value in filters.items():
        if isinstance(value, Mapping):
            if value.get("exists") is True:
                parts.append(str(key))
            continue
        parts += [
            f"{key}={item}" for item in (value if isinstance(value, list) else [value])
        ]
    return ",".join(parts)


def _repo(schema: Schema) -> dict[str, Any]:
    """What a repository's parts may be, each a list; [] for anything."""
    lists = {
        name: [str(item) for item in list_of(_ui(schema, f"allowed{name}"))]
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
