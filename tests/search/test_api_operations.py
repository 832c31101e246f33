"""APIs are found by their operations, from events and from the snapshot."""

from services.search.api_operations import AT_ONCE, with_operations
from services.search.model import EntityUpsert
from services.search.ports import IndexVersion
from services.search.resync import ENTITIES, repair
from tests import builders
from tests.search.fakes import MemoryOwners, entity_put, search_request


async def test_an_api_is_found_by_an_operation(index_version: IndexVersion) -> None:
    """Search requests the words from the catalog; the document shows none of them."""
    owners = MemoryOwners()
    owners.put(builders.api("tickets", definition="refundTicket /seats/{id}/refunds"))
    owners.put(builders.component("cart"))
    async for _ in repair(index_version, owners, ENTITIES):
        pass
    for text in ("refundTicket", "refunds", "refund"):
        page = await index_version.index.find(search_request(text))
        assert [hit.ref for hit in page.hits] == ["api:default/tickets"]
        assert "refund" not in str(page.hits[0].document)
        assert page.hits[0].document["location"] == "/catalog/default/api/tickets"


async def test_operations_are_requested_for_apis_only() -> None:
    """In batches, in order; an API without a definition stays as it is."""
    owners = MemoryOwners()
    number = AT_ONCE * 2 + 3
    changes = [
        entity_put(builders.api(f"a{n}", definition=f"words{n}")) for n in range(number)
    ]
    changes += [entity_put(builders.component("web"))]
    extended = await with_operations(owners, changes)
    words = [
        change.operations for change in extended if isinstance(change, EntityUpsert)
    ]
    assert words == [*(f"words{n}" for n in range(number)), ""]
