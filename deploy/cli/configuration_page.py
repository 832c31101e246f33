"""Writes `docs/configuration.md`: `python -m deploy.cli.configuration_page`.

The page is generated from the services' models of the configuration; a test compares
the two.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from deploy.cli.configuration import PortalConfig
from shared.kit.config.integrations import Integration, Integrations
from shared.kit.config.sections import Section, keys_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"
HEAD = (
    "# The configuration file\n\n"
    "One YAML file (`app-config.yaml`; its path is in `CALLBOARD_CONFIG`) with "
    "Backstage's section names. `${NAME}` and `${NAME:-default}` come from the\n"
    "environment, `$${` stays `${`; `{$env: NAME}` is a variable too, and "
    "`{$file: PATH}` the text of a file, from\n"
    "the configuration's folder and of at most 1 MB. `$include` is refused: put the "
    "file's content in its place. Words have their meaning of\n"
    "YAML 1.2: `NO` and `on` are texts, and count as true or false where that is asked "
    "for; `<<` merges.\n\n"
    "`callboard config check FILE` names all that is wrong with a file, each with its "
    "line, and warns of values that lead nowhere;\n"
    "`callboard config schema` prints a JSON Schema for editors. Each service reads "
    "its own sections alone. Keys that mean nothing here are warnings:\n"
    "a file of Backstage can be given as it is, and needs no variables for them.\n\n"
    "`python -m deploy.cli.configuration_page` makes this page of the models that the "
    "services read the file with.\n"
)


def page() -> str:
    """The text of the page."""
    return "\n".join([HEAD, *_sections(PortalConfig, "")])


def _sections(section: type[Section], path: str) -> Iterator[str]:
    if section is Integrations:
        yield from _git_hosts(path)
        return
    for key, nested in keys_of(section).items():
        if nested.section is None:
            continue
        field = _field(section, key)
        heading = f"{path}{key}"
        if nested.is_named:
            heading += ".<name>"
        elif _is_list(field):
            heading += "[]"
        yield from _section(nested.section, heading, _text(nested.section.__doc__))


def _section(section: type[Section], heading: str, summary: str) -> Iterator[str]:
    yield f"## `{heading}`\n"
    yield f"{summary}\n"
    yield from _table(section)
    yield from _sections(section, f"{heading}.")


def _git_hosts(path: str) -> Iterator[str]:
    """One section for all types of Git hosts: they differ in the default of `host`."""
    hosts = [
        f"`{key}`: {_default(_field(nested.section, 'host'))}"
        for key, nested in keys_of(Integrations).items()
        if nested.section is not None
    ]
    summary = f"{_text(Integration.__doc__)} The default of `host`, by type: "
    yield from _section(Integration, f"{path}<type>[]", f"{summary}{', '.join(hosts)}.")


def _table(section: type[Section]) -> Iterator[str]:
    yield "| key | value | default | |"
    yield "|---|---|---|---|"
    for key in keys_of(section):
        field = _field(section, key)
        cells = (f"`{key}`", _kind(field), _default(field), _text(field.description))
        yield f"| {' | '.join(cells)} |"
    yield ""


def _field(section: type[Section], key: str) -> FieldInfo:
    names = list(keys_of(section))
    return list(section.model_fields.values())[names.index(key)]


def _is_list(field: FieldInfo) -> bool:
    return str(field.annotation).startswith("list[")


def _kind(field: FieldInfo) -> str:
    """The type of a value as readers know it."""
    text = re.sub(r"\b(?:[a-z_]+\.)+", "", str(field.annotation))
    text = re.sub(r"Annotated\[(\w+), .*?\)\]", r"\1", text)
    text = re.sub(r"<class '(\w+)'>", r"\1", text).replace(" | None", "")
    text = re.sub(r"Literal\[(.*)\]", r"\1", text).replace("'", "`")
    if text.startswith("list["):
        return f"list of {_word(text[5:-1])}"
    if text.startswith("dict["):
        return f"{_word(text[5:-1].partition(', ')[2])} by name"
    return _word(text)


WORDS = {
    "str": "text",
    "int": "number",
    "bool": "true or false",
    "SecretStr": "secret",
    "Path": "path",
    "Any": "anything",
}


def _word(text: str) -> str:
    if text.startswith("`"):
        return text.replace(", ", " or ")
    parts = [
        WORDS.get(part, "section" if part[0].isupper() else part)
        for part in text.split(" | ")
    ]
    return " or ".join(dict.fromkeys(parts))


def _default(field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True)
    if field.is_required():
        return "required"
    if isinstance(value, Section) or value in (None, [], {}):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`"


def _text(text: str | None) -> str:
    return " ".join((text or "").split())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
