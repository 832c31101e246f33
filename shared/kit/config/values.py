"""Values that the configuration takes from elsewhere: `${NAME}`, `$env` and `$file`."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from shared.contracts.errors import Invalid
from shared.guards.regular_files import read_regular_file

#: The variable that lists, separated by commas, variables that this process does not
#: get because it does not need them. They count as empty.
WITHHELD = "CALLBOARD_WITHHELD"
#: The most bytes of a file that `$file` names.
FILE_LIMIT = 1_000_000
VARIABLE = re.compile(r"\$(\$)?\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_REFERENCES = ("$env", "$file", "$include")


class MissingVariable(Invalid):
    """The environment has no variable of this name."""


def is_reference(value: Any) -> bool:
    """Whether a value stands for a value from elsewhere, as `{$env: NAME}` does."""
    return isinstance(value, dict) and any(name in value for name in _REFERENCES)


def refuse_reference(value: Mapping[str, Any], label: str) -> NoReturn:
    """Refuse a reference that stands for a whole file.

    Raises:
        Invalid: naming the reference and what to write.
    """
    name = next(name for name in _REFERENCES if name in value)
    raise Invalid(
        f"{label}: {name} cannot stand for the whole file: put the sections here"
    )


def value_of(value: Any, environ: Mapping[str, str], folder: Path) -> str:
    """The text that a text or a reference stands for; files lie in `folder`.

    Raises:
        MissingVariable: naming the variables that are missing.
        Invalid: naming the reference and the rule.
    """
    if isinstance(value, str):
        return _with_variables(value, environ)
    name, argument = next(iter(value.items()))
    if "$include" in value:
        raise Invalid("$include is not supported: put the file's content here")
    if len(value) > 1 or not isinstance(argument, str):
        raise Invalid(f"{name} must be the only key here, with a text")
    if name == "$env":
        return _variable(argument, environ)
    return _content(_with_variables(argument, environ), folder)


def _with_variables(text: str, environ: Mapping[str, str]) -> str:
    def replace(match: re.Match[str]) -> str:
        escaped, name, default = match.groups()
        return match[0][1:] if escaped else _variable(name, environ, default)

    return VARIABLE.sub(replace, text)


def _variable(name: str, environ: Mapping[str, str], default: str | None = None) -> str:
    value = environ.get(name, default)
    if value is None and name in environ.get(WITHHELD, "").split(","):
        return ""
    if value is None:
        raise MissingVariable(f"the environment has no variable {name}")
    return value


def _content(name: str, folder: Path) -> str:
    """The text of a file without blanks at its end, as Backstage reads it."""
    try:
        body = read_regular_file(folder / name, FILE_LIMIT + 1)
        if len(body) > FILE_LIMIT:
            raise Invalid(f"$file: {name} has over {FILE_LIMIT} bytes")
        return body.decode().rstrip()
    except OSError as error:
        raise Invalid(f"$file: {name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Invalid(f"$file: {name} must be text in UTF-8") from error
