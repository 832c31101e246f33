"""The documentation that the tests of the routes read, and who may see it."""

import httpx

from tests.builders import open_or_owned
from tests.techdocs.installation import SITE, Running

TRIPLET = "default/component/box-office"
RESTRICTED = {"callboard.dev/visibility": "restricted"}
POLICY = open_or_owned("group:default/team-a")
STRANGERS = open_or_owned("group:default/others")
PICTURE = b"\x89PNG\r\n\x1a\n"


async def publish(techdocs: Running) -> None:
    files: dict[str, str | bytes | None] = {
        **SITE,
        "docs/img/a.png": PICTURE,
        "docs/img/b.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
        "docs/slides.pdf": "%PDF",
    }
    techdocs.host.commit("box", files)
    await techdocs.document("box-office", **RESTRICTED)
    await techdocs.built("box-office")


def error(answer: httpx.Response) -> tuple[int, str, str]:
    result = answer.json()["error"]
    return answer.status_code, result["name"], result["message"]
