"""Files of a site: their addresses, their media types, and nothing beside them."""

from pathlib import Path

import pytest

from services.techdocs.api.files import static_type
from tests.techdocs.box_office import PICTURE, TRIPLET
from tests.techdocs.installation import Running

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("path", "media"),
    [
        ("index.html", "text/plain; charset=utf-8"),
        ("guide/", "text/plain; charset=utf-8"),
        ("img/b.svg", "text/plain; charset=utf-8"),
        ("sitemap.xml", "text/plain; charset=utf-8"),
        ("search/main.js", "text/plain; charset=utf-8"),
        ("img/a.png", "image/png"),
        ("techdocs_metadata.json", "application/json; charset=utf-8"),
        ("search/search_index.json", "application/json; charset=utf-8"),
    ],
)
async def test_static_files_have_backstages_media_types(
    built: Running, path: str, media: str
) -> None:
    """A browser renders none of these types."""
    answer = await built.get(f"/static/docs/{TRIPLET}/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, media)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"].startswith("private")
    again = await built.client.get(
        f"/static/docs/{TRIPLET}/{path}",
        headers={**built.headers(), "if-none-match": answer.headers["etag"]},
    )
    assert again.status_code == 304


@pytest.mark.parametrize(
    "name", ["a.js", "a.MJS", "a.wasm", "a.xsl", "a.XHTML", "a.es"]
)
async def test_active_files_have_inactive_media_types(name: str) -> None:
    """A script of the docs is no script of the portal."""
    media = static_type(Path(name))
    assert media.startswith("text/plain") or name == "a.es"
    assert not any(word in media for word in ("script", "xml", "html", "wasm"))


async def test_files_of_the_docs_cannot_be_loaded_as_scripts(built: Running) -> None:
    """Whatever the file's name is; pictures and styles can still be shown."""
    for route, path in (("static/docs", "search/main.js"), ("assets", "img/a.png")):
        for expected_type, status in (("script", 403), ("worker", 403), ("image", 200)):
            answer = await built.client.get(
                f"/{route}/{TRIPLET}/{path}",
                headers={**built.headers(), "sec-fetch-dest": expected_type},
            )
            assert answer.status_code == status, (route, expected_type)


async def test_addresses_in_another_case_redirect_to_lower_case(built: Running) -> None:
    """Each entity has one address, which leads through the gateway."""
    answer = await built.get("/static/docs/default/Component/box-office/index.html")
    place = f"/api/techdocs/static/docs/{TRIPLET}/index.html"
    assert (answer.status_code, answer.headers["location"]) == (301, place)
    folder = await built.get(f"/static/docs/{TRIPLET}/guide")
    place = f"/api/techdocs/static/docs/{TRIPLET}/guide/"
    assert (folder.status_code, folder.headers["location"]) == (301, place)


@pytest.mark.parametrize(
    "path",
    [
        "nope.html",
        "..%2Frecord%2Fsite.json",
        "%2e%2e/record/site.json",
        "..%5c..%5crecord",
        "img/..%2f..%2f..%2f..%2fetc/passwd",
        "%00",
    ],
)
async def test_paths_outside_a_site_are_refused(built: Running, path: str) -> None:
    """Dots, backslashes and zero bytes in an address."""
    for route in ("static/docs", "assets"):
        answer = await built.get(f"/{route}/{TRIPLET}/{path}")
        assert answer.status_code in {400, 404}, route


async def test_pictures_are_shown_and_other_files_are_downloads(built: Running) -> None:
    """Pictures have their types, in a sandbox."""
    picture = await built.get(f"/assets/{TRIPLET}/img/a.png")
    assert (picture.content, picture.headers["content-type"]) == (PICTURE, "image/png")
    drawing = await built.get(f"/assets/{TRIPLET}/img/b.svg")
    assert drawing.headers["content-type"] == "image/svg+xml"
    assert "sandbox" in drawing.headers["content-security-policy"]
    for path in ("slides.pdf", "index.html", "search/main.js"):
        answer = await built.get(f"/assets/{TRIPLET}/{path}")
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"] == "attachment"


async def test_head_requests_answer_like_get_without_content(built: Running) -> None:
    """And to the same readers."""
    for path, status in (("img/a.png", 200), ("img/gone.png", 404), ("img", 404)):
        answer = await built.client.head(
            f"/assets/{TRIPLET}/{path}", headers=built.headers()
        )
        assert (answer.status_code, answer.content) == (status, b""), path
    nobody = await built.client.head(f"/assets/{TRIPLET}/img/a.png")
    assert nobody.status_code == 401
