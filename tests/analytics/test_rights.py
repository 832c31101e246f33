"""What analytics asks the catalog about a reader."""

from collections.abc import Mapping
from typing import Any

from services.analytics.rights import CatalogRights
from shared.contracts.permissions import SOURCE_EXPLORE, SOURCE_READ
from shared.kit.http.service_tokens import Grant, Principal

HIDDEN: Mapping[str, Any] = {"rule": "IS_ENTITY_OWNER", "params": {"claims": []}}


class RecordingCalls:
    """Notes for whom the catalog is asked, and calls the first location readable."""

    def __init__(self) -> None:
        self.readers: list[Principal] = []

    async def post_json(
        self, service: str, path: str, body: Any, *, reader: Principal
    ) -> Any:
        assert (service, path) == ("catalog", "/sources/readable")
        self.readers.append(reader)
        locations = body["locations"]
        return {
            "items": [
                {"location": location, "readable": number == 0}
                for number, location in enumerate(locations)
            ]
        }


async def test_unrestricted_source_rights_reveal_no_repositories() -> None:
    """A list of pushes names repositories with entities that the reader sees."""
    grants = {
        SOURCE_READ: Grant("conditional", HIDDEN),
        SOURCE_EXPLORE: Grant("allow"),
    }
    reader = Principal("user:default/ann", "user", "allow", also=grants)
    calls = RecordingCalls()
    rights = CatalogRights(calls)  # type: ignore[arg-type]
    names = ["git.example.com/a", "git.example.com/b"]
    assert await rights.repositories(names, reader) == {"git.example.com/a"}
    (source_reader,) = calls.readers
    assert source_reader.permission == SOURCE_READ
    assert SOURCE_EXPLORE not in source_reader.also
