"""The operator's paper names every setting, with the default that the code has."""

import importlib
import re
from pathlib import Path

from deploy.embedded.rundata import SERVICES
from shared.kit.config.settings import ServiceSettings
from tests.deploy.compose import ROOT

PAPER = (ROOT / "docs" / "operations.md").read_text()
SETTINGS = PAPER.partition("\n## Settings\n")[2].partition("\n## ")[0]


def rows() -> dict[str, str]:
    """Each variable of the tables with the default that stands beside it."""
    defaults_by_variable: dict[str, str] = {}
    for line in SETTINGS.splitlines():
        if line.startswith("| `"):
            names, default, _ = (cell.strip() for cell in line.strip("|").split(" | "))
            variables = re.findall(r"`(\w+)`", names)
            defaults = re.split(r",\s(?![0-9]+ characters)", default)
            if len(defaults) != len(variables):
                defaults = [default] * len(variables)
            defaults_by_variable |= dict(zip(variables, defaults, strict=True))
    return defaults_by_variable


def declared() -> dict[str, str]:
    """Each variable of the code with its default, as the paper would put it."""
    modules = (importlib.import_module(f"services.{n}.settings") for n in SERVICES)
    classes = [ServiceSettings, *(module.Settings for module in modules)]
    defaults = {}
    for settings in classes:
        for name, field in settings.model_fields.items():
            variable = str(field.validation_alias or f"CALLBOARD_{name.upper()}")
            defaults[variable] = (
                "required" if field.is_required() else shown(field.default)
            )
    return defaults


def shown(default: object) -> str:
    """A default as text; a path below the repository's root."""
    if isinstance(default, Path):
        return f"`{default.relative_to(ROOT)}`"
    return {None: "none", False: "`false`"}.get(default, f"`{default}`")  # type: ignore[call-overload, no-any-return]


def test_the_operations_guide_lists_every_setting() -> None:
    """And no other: every documented setting is read."""
    assert set(rows()) == set(declared())


def test_the_documented_defaults_are_those_of_the_code() -> None:
    """The documentation gives each variable the default that the code declares."""
    written = rows()
    for variable, default in declared().items():
        assert written[variable].startswith(default), variable
