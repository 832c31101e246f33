"""The catalog and the scaffolder check templates by the same rules."""

from typing import Any

from services.catalog.descriptor.kinds import BUILT_IN
from services.scaffolder.templates.template_entity import SCHEMA
from shared.guards.yaml_text import load_yaml

#: The steps' own limits are the scaffolder's, which runs them.
OWN = {"steps"}


def test_the_catalog_knows_every_field_that_the_scaffolder_checks() -> None:
    """A template that a run would refuse is refused where it is registered."""
    text = (BUILT_IN / "template.yaml").read_bytes()
    kind: Any = load_yaml(text, label="template.yaml")
    of_catalog = kind["schema"]["properties"]
    of_scaffolder = SCHEMA["properties"]["spec"]["properties"]  # type: ignore[index]
    assert of_catalog.keys() == of_scaffolder.keys()
    for name in of_catalog.keys() - OWN:
        assert of_catalog[name] == of_scaffolder[name], name
