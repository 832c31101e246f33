"""A source that the catalog itself fails on stops no other one."""

from pathlib import Path
from typing import Any

import pytest

from services.catalog.handlers import ingestion
from services.catalog.handlers.scanning import DesiredLocations, begin, scan
from tests.catalog.running import Host, running
from tests.catalog.test_repository_names import FILE, provider
from tests.catalog.test_source_rights import entity


@pytest.mark.parametrize("work", ["scan", "begin"])
async def test_a_source_that_fails_stops_no_other(
    database: Any, data: Path, host: Host, work: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong with it, it is reported by its name."""
    plan = ingestion.plan_in_stages

    async def fail(reading: Any, *rest: Any) -> Any:
        if "/poison/" in str(reading.root.location):
            raise ValueError("a fault of the catalog")
        return await plan(reading, *rest)

    problems: dict[str, str] = {}
    async with running(database, data, host.config()) as catalog:
        monkeypatch.setattr(ingestion, "plan_in_stages", fail)
        for name in ("a", "poison", "z"):
            host.commit(name, {FILE: entity(f"of-{name}")})
        desired = DesiredLocations((), (provider(host),))
        context = catalog.work.catalog
        if work == "begin":
            await begin(context, desired, problems.__setitem__)
        else:
            await scan(context, desired, 1, problems.__setitem__)
        assert {"component:of-a", "component:of-z"} <= await catalog.refs()
    assert any("poison" in source or "generated" in source for source in problems)
    [problem] = set(problems.values())
    assert problem.startswith("ValueError in fail, line ")
    assert problem.endswith(": a fault of the catalog")
