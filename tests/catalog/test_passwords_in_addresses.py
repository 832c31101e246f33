"""Addresses with a password are refused before anything stores or shows them."""

from pathlib import Path
from typing import Any

import pytest

from services.catalog.configuration import CatalogConfig
from shared.contracts.errors import Invalid
from shared.kit.config.sections import load_config
from tests import builders
from tests.catalog.running import generated, pointing, running, write

SECRET = "hunter2"
ADDRESS = f"https://ben:{SECRET}@host.example/a.yaml"
SPEC = {"type": "url", "target": ADDRESS}


async def test_no_route_takes_an_address_with_a_password(
    database: Any, data: Path
) -> None:
    """400 that does not repeat it; nothing is registered."""
    file = write(data, "good.yaml", builders.component("good"))
    async with running(database, data) as catalog:
        identity = (await catalog.register(file)).json()["location"]["id"]
        entity = builders.component("web")
        for method, path, body in [
            ("POST", "/locations", SPEC),
            ("POST", "/locations?dryRun=true", SPEC),
            ("PUT", f"/locations/{identity}", SPEC),
            ("POST", "/analyze-location", {"location": SPEC}),
            (
                "POST",
                "/validate-entity",
                {"entity": entity, "location": f"url:{ADDRESS}"},
            ),
        ]:
            answer = await catalog.ask(method, path, body)
            assert answer.status_code == 400, path
            assert "must not hold a password" in answer.text, path
            assert SECRET not in answer.text, path
        listing = await catalog.ask("GET", "/locations")
        assert len(listing.json()) == 1
        assert SECRET not in listing.text


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (pointing("more", "./ok.yaml", ADDRESS), "spec.targets"),
        (
            builders.component("bad", {"description": {"$text": ADDRESS}}),
            "$text",
        ),
    ],
)
async def test_an_entity_with_a_password_in_an_address_is_refused(
    database: Any, data: Path, document: Any, field: str
) -> None:
    """The location's status names the field; no event and no answer has it."""
    write(data, "ok.yaml", builders.component("ok"))
    file = write(data, "bad.yaml", document)
    async with running(database, data) as catalog:
        answer = await catalog.register(file)
        problems = await catalog.problems(generated(file))
        entities = await catalog.ask("GET", "/entities")
        envelopes = await catalog.published()
    assert answer.status_code == 201
    assert f"{field}: must not hold a password" in str(problems)
    visible_text = f"{problems}{entities.text}{envelopes}"
    assert SECRET not in visible_text


def test_a_configured_location_holds_no_password(tmp_path: Path) -> None:
    """The configuration is refused by its key."""
    file = tmp_path / "app-config.yaml"
    file.write_text(f"catalog: {{locations: [{{type: url, target: '{ADDRESS}'}}]}}\n")
    with pytest.raises(Invalid, match="must not hold a password") as error:
        load_config(file, {}, CatalogConfig)
    assert "catalog.locations" in str(error.value)
    assert SECRET not in str(error.value)
