"""Kinds that an organisation adds by files of the same form as the built-in ones."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from deploy.cli.commands import app
from services.catalog.descriptor.kinds import read_kinds
from shared.contracts.errors import Invalid
from tests import builders
from tests.catalog.running import running, write

PRODUCT = {
    "kind": "Product",
    "versions": ["playhouse.example/v1"],
    "schema": {
        "type": "object",
        "required": ["owner", "price"],
        "properties": {
            "owner": {"type": "string", "minLength": 1},
            "price": {"type": "integer"},
            "consistsOf": {"type": "array", "items": {"type": "string"}},
        },
    },
    "relations": {
        "owner": {"type": "ownedBy", "inverse": "ownerOf", "kind": "Group"},
        "consistsOf": {"type": "hasPart", "inverse": "partOf", "kind": "System"},
    },
}
CONFIG = """\
catalog:
  fileLocations: true
  kinds: [./kinds]
  rules:
    - allow: [Component, Group, Location, System, Product]
"""


def product(**spec: Any) -> dict[str, Any]:
    fields = {"owner": "team-a", "price": 5, "consistsOf": ["shop"], **spec}
    entity = builders.entity("Product", "tickets", fields)
    return {**entity, "apiVersion": "playhouse.example/v1"}


async def test_entities_of_an_own_kind_are_checked_related_and_listed(
    database: Any, data: Path
) -> None:
    """The kind's schema and relations hold as those of a built-in kind do."""
    write(data, "kinds/product.yaml", PRODUCT)
    file = write(data, "catalog-info.yaml", product(), builders.system())
    async with running(database, data, CONFIG) as catalog:
        assert (await catalog.register(file)).status_code == 201
        entity = await catalog.entity("product:default/tickets")
        assert entity is not None
        assert [(r["type"], r["targetRef"]) for r in entity["relations"]] == [
            ("hasPart", "system:default/shop"),
            ("ownedBy", "group:default/team-a"),
        ]
        system = await catalog.entity("system:default/shop")
        assert system is not None
        part_of = {"type": "partOf", "targetRef": "product:default/tickets"}
        assert part_of in system["relations"]
        answer = await catalog.ask("GET", "/entities?filter=kind=product")
        assert [item["metadata"]["name"] for item in answer.json()] == ["tickets"]
        write(data, "bad.yaml", product(price="much"))
        refused = await catalog.register(data / "bad.yaml", "?dryRun=true")
        assert "spec.price: must be a whole number" in refused.text


async def test_files_are_read_again_when_kinds_change(
    database: Any, data: Path
) -> None:
    """A kind that was unknown is known after a restart with its file."""
    file = write(data, "catalog-info.yaml", builders.component(), product())
    (data / "kinds").mkdir()
    async with running(database, data, CONFIG) as catalog:
        await catalog.register(file)
        assert await catalog.entity("product:default/tickets") is None
    write(data, "kinds/product.yaml", PRODUCT)
    async with running(database, data, CONFIG) as catalog:
        assert await catalog.entity("product:default/tickets") is not None


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"kind": "component"}, "kind: component is a built-in kind already"),
        ({"kind": "a kind"}, "kind: must be a letter followed by letters and digits"),
        ({"versions": []}, "versions: "),
        ({"versions": ["/v1"]}, r"versions\.0: must be \[prefix/\]suffix"),
        ({"schema": {"type": "nothing"}}, "schema: is no JSON Schema"),
        ({"relations": {"owner": {"type": "a b", "inverse": "c"}}}, r"owner\.type: "),
        ({"color": "red"}, "color: Extra inputs are not permitted"),
    ],
)
def test_a_file_that_breaks_a_rule_is_refused(
    tmp_path: Path, change: dict[str, Any], problem: str
) -> None:
    """The error names the file, the field and the rule."""
    file = write(tmp_path, "product.yaml", {**PRODUCT, **change})
    with pytest.raises(Invalid, match=f"product.yaml: .*{problem}"):
        read_kinds([file])


def test_a_kind_has_one_file(tmp_path: Path) -> None:
    """Two files of a kind are an error that names both; so is an absent file."""
    write(tmp_path, "one.yaml", PRODUCT)
    write(tmp_path, "two.yaml", {**PRODUCT, "kind": "PRODUCT"})
    with pytest.raises(Invalid, match=r"two.yaml: .*PRODUCT is that of one.yaml"):
        read_kinds([tmp_path])
    with pytest.raises(Invalid, match=r"gone.yaml: cannot be read"):
        read_kinds([tmp_path / "gone.yaml"])


def test_validate_knows_kinds_that_it_is_given(tmp_path: Path) -> None:
    """`callboard validate --kinds` takes a file or a folder of kinds."""
    kinds = tmp_path / "kinds"
    write(kinds, "product.yaml", PRODUCT)
    file = tmp_path / "catalog-info.yaml"
    file.write_text(yaml.safe_dump(product()))

    def validate(*options: object) -> Any:
        return CliRunner().invoke(app, ["validate", str(file), *map(str, options)])

    assert validate("--kinds", kinds).exit_code == 0
    assert validate("--kinds", kinds / "product.yaml").exit_code == 0
    without = validate()
    assert without.exit_code == 1
    assert "kind: nothing here knows 'Product'" in without.stdout
    broken = validate("--kinds", file)
    assert broken.exit_code == 2
    assert "catalog-info.yaml: " in broken.stderr
