"""The parts of a form: fields, their choices and pickers, pages."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from services.portal.choices.query import ChoiceQuery
from shared.contracts.errors import Invalid
from shared.contracts.ref import DEFAULT_NAMESPACE, parse_ref

Path = tuple[str, ...]
#: Answers by name, and a JSON Schema with the hints of Backstage.
Values = Mapping[str, Any]
Schema = Mapping[str, Any]
Kind = Literal[
    "text",
    "textarea",
    "number",
    "select",
    "radio",
    "check",
    "checks",
    "lines",
    "yaml",
    "secret",
    "repo",
    "hidden",
    "choice",
    "note",
    "constant",
]

INPUT_TYPES_BY_KIND: Mapping[str, str] = MappingProxyType(
    {"number": "number", "secret": "password"}
)
INPUT_TYPES_BY_FORMAT: Mapping[str, str] = MappingProxyType(
    {"date": "date", "email": "email", "uri": "url"}
)
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def field_name(prefix: str, path: Path) -> str:
    """The name in the form of the question at a path: `p.database.size`."""
    parts = (part.replace("~", "~0").replace(".", "~1") for part in path)
    return f"{prefix}.{'.'.join(parts)}"


def choice_place(name: str) -> Path:
    """The place of the errors of a choice, whose path is its object's."""
    return ("", name)


@dataclass(frozen=True, slots=True)
class Option:
    """One choice: `value` is what the template gets, `key` how the form names it."""

    key: str
    label: str
    value: Any
    about: str = ""
    is_disabled: bool = False


@dataclass(frozen=True, slots=True)
class Picker:
    """Which entities a field offers.

    `filters` are Backstage's `catalogFilter` as statements of the catalog's filter
    language; `own` narrows to what is the reader's; `free`: an answer may be one that
    is not offered. A short answer is completed by the default kind and namespace.
    """

    choice_type: Literal["entities", "groups", "tags"] = "entities"
    filters: tuple[str, ...] = ()
    own: bool = False
    free: bool = True
    default_kind: str = ""
    default_namespace: str = DEFAULT_NAMESPACE

    @property
    def source(self) -> str:
        """The address that offers the choices."""
        query = ChoiceQuery(self.choice_type, self.filters, owned=self.own)
        return query.address()

    def complete_ref(self, text: str) -> str:
        """The whole ref that a text means; a text that means none, as it is."""
        if self.choice_type == "tags":
            return text.strip()
        try:
            ref = parse_ref(
                text.strip(),
                default_kind=self.default_kind or None,
                default_namespace=self.default_namespace,
            )
        except Invalid:
            return text.strip()
        return str(ref)


@dataclass(frozen=True, slots=True)
class FormField:
    """One question.

    `name` is its name in the form, `value` a text or a list of texts as the form shows
    it. `help` is Markdown, which the page renders. `controls`: other questions depend
    on the answer. `group` is the heading of the object that it belongs to, `group_help`
    what the object says of itself, as Markdown. A choice among an object's alternatives
    has a name of its own: it is no answer, and its path is the object's. Of answers
    that are written as YAML, `keys` says what they hold, and `example` is one.
    """

    path: Path
    kind: Kind
    label: str
    schema: Schema
    required: bool = False
    help: str = ""
    hint: str = ""
    group: str = ""
    group_help: str = ""
    placeholder: str = ""
    options: tuple[Option, ...] = ()
    picker: Picker | None = None
    controls: bool = False
    disabled: bool = False
    autofocus: bool = False
    rows: int = 0
    value: Any = ""
    error: str = ""
    repo: Mapping[str, Any] = field(default_factory=dict)
    own_name: str = ""
    pattern_words: str = ""
    keys: str = ""
    example: str = ""

    @property
    def name(self) -> str:
        """In the form and in the address: `p.owner`, `p.database.size`."""
        return self.own_name or field_name("p", self.path)

    @property
    def place(self) -> Path:
        """Where its errors are said."""
        return choice_place(self.own_name) if self.own_name else self.path

    @property
    def chosen(self) -> list[tuple[str, str]]:
        """What was chosen, each with its label."""
        return [(option.key, option.label) for option in self.options]

    @property
    def input_type(self) -> str:
        """The type of its input; one for dates would hide a text that is none."""
        if self.kind in INPUT_TYPES_BY_KIND:
            return INPUT_TYPES_BY_KIND[self.kind]
        input_type = INPUT_TYPES_BY_FORMAT.get(str(self.schema.get("format")), "text")
        is_hidden = (
            input_type == "date" and self.value and not DATE.fullmatch(str(self.value))
        )
        return "text" if is_hidden else input_type

    @property
    def id(self) -> str:
        """In the page; made only of letters that selectors need not escape."""
        text = self.own_name or "-".join(self.path)
        return "f-" + "".join(c if c.isalnum() and c.isascii() else "-" for c in text)


@dataclass(frozen=True, slots=True)
class FormPage:
    """One page of the form, its schema as the template has it."""

    number: int
    title: str
    about: str
    schema: Schema


def pages_of(answer: Mapping[str, Any]) -> list[FormPage]:
    """The pages in an answer of the scaffolder's `parameter-schema`."""
    steps: Sequence[Any] = answer.get("steps") or ()
    return [
        FormPage(
            number,
            str(step.get("title") or "Please answer"),
            str(step.get("description") or ""),
            step["schema"] if isinstance(step.get("schema"), Mapping) else {},
        )
        for number, step in enumerate(steps)
        if isinstance(step, Mapping)
    ]
