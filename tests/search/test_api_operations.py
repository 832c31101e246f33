"""APIs are found by their operations, from events and from the snapshot."""

from services.search.api_operations import AT_ONCE, with_operations
from services.search.model import EntityUpsert
from services.search.ports import IndexVersion
from services.search.resync import ENTITIES, repair
from tests import builders
from tests.search.fakes import MemoryOwners, asked, entity_put


async def test_an_api_is_found_by_an_operation(index_version: IndexVersion) -> None:
    """The catalog is asked for the words; the document shows none of them."""
    owners = MemoryOwners()
    owners.put(builders.api("tickets", definition="refundTicket /seats/{id}/refunds"))
    owners.put(builders.component("cart"))
    async for _ in repair(index_version, owners, ENTITIES):
        pass
    for text in ("refundTicket", "refunds", "refund"):
        found = await index_version.index.find(asked(text))
        assert [hit.ref for hit in found.hits] == ["api:default/tickets"]
        assert "refund" not in str(found.hits[0].document)
        assert found.hits[0].document["location"] == "/catalog/default/api/tickets"


async def test_only_apis_are_asked_for() -> None:
    """In portions, in order; what has no definition is left as it is."""
    owners = MemoryOwners()
    number = AT_ONCE * 2 + 3
    changes = [
        entity_put(builders.api(f"a{n}", definition=f"words{n}")) for n in range(number)
    ]
    changes += [entity_put(builders.component("web"))]
    found = await with_operations(owners, changes)
    words = [each.operations for each in found if isinstance(each, EntityUpsert)]
    assert words == [*(f"words{n}" for n in range(number)), ""]
