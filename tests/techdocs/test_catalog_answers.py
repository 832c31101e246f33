"""What the catalog answers about files, over HTTP."""

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.techdocs.handlers.build_rights import BuildRights
from services.techdocs.store.catalog import MOST_FILES, HttpDocsCatalog
from shared.contracts.errors import Unavailable
from shared.kit.http.clients import ServiceCalls
from tests.gateway.running import SECRET
from tests.techdocs.catalog_server import catalog_server

REF = "component:default/web"


@pytest.mark.parametrize("status", [400, 403, 404, 413, 500])
async def test_an_error_of_the_catalog_is_none_of_the_files(status: int) -> None:
    """A process of an earlier version does not have the question: it is asked later."""

    async def refuse(_: Request) -> Response:
        error = {"error": {"name": "Error", "message": "no"}}
        return JSONResponse(error, status)

    async with (
        catalog_server(refuse) as url,
        ServiceCalls(SECRET, "techdocs", {"catalog": url}) as calls,
    ):
        catalog = HttpDocsCatalog(calls)
        with pytest.raises(Unavailable):
            await catalog.hidden_files(["url:https://a/b"], REF)
        with pytest.raises(Unavailable):
            await catalog.closed_locations(["url:https://a/b"], REF)


async def test_many_files_are_several_questions() -> None:
    """Each file keeps its answer; what cannot be asked for counts as hidden."""
    sizes: list[int] = []

    async def answer(request: Request) -> Response:
        locations = (await request.json())["locations"]
        sizes.append(len(locations))
        items = [item.endswith("7") for item in locations]
        return JSONResponse({"state": "x", "items": items})

    files = [f"file:/x/{number}" for number in range(MOST_FILES + 10)]
    odd = ["file:/x/\udcff", "file:/x/" + "y" * 9_000]
    async with (
        catalog_server(answer) as url,
        ServiceCalls(SECRET, "techdocs", {"catalog": url}) as calls,
    ):
        rights = BuildRights(HttpDocsCatalog(calls), REF)
        await rights.begin("file:/x")
        hidden = await rights.hidden([*files, *odd])
        assert hidden == {*odd, *(file for file in files if file.endswith("7"))}
        assert sizes == [1, MOST_FILES, 10]
        assert await rights.hidden(files[:20]) == {files[7], files[17]}
        assert sizes == [1, MOST_FILES, 10]
        await rights.require_current()
