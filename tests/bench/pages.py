"""Time to first byte of pages, and memory, of portals that run: `pages DATA [DATA …]`.

Portals are compared in one run: the same page is asked of one after the other.
"""

import argparse
import statistics
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from tests.bench.portal import BenchPortal

PAGES = {
    "home": "/",
    "catalog": "/catalog",
    "entity": "/catalog/default/component/payments",
}
WARMING = 10


class Browser:
    """A session at one portal, over a kept connection; without a user a guest."""

    def __init__(self, url: str, user: str) -> None:
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
        way, form = ("as", {"user": user}) if user else ("guest", {})
        headers = {"Origin": url, "Content-Type": "application/x-www-form-urlencoded"}
        self._connection.request("POST", f"/sign-in/{way}", urlencode(form), headers)
        answer = self._connection.getresponse()
        answer.read()
        cookie = str(answer.headers["Set-Cookie"]).partition(";")[0]
        self._headers = {"Cookie": cookie, "Accept-Encoding": "gzip"}

    def seconds(self, path: str) -> float:
        """Until the first byte of a page."""
        started_at = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        seconds = time.perf_counter() - started_at
        answer.read()
        assert answer.status == 200, f"{path}: {answer.status}"
        return seconds


def first_bytes(urls: list[str], user: str, times: int) -> dict[str, list[float]]:
    """The median of each page at each portal, in milliseconds."""
    browsers = [Browser(url, user) for url in urls]
    medians: dict[str, list[float]] = {}
    for name, path in PAGES.items():
        turns = [
            [browser.seconds(path) for browser in browsers]
            for _ in range(WARMING + times)
        ]
        columns = zip(*turns[WARMING:], strict=True)
        medians[name] = [1000 * statistics.median(column) for column in columns]
    return medians


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--user", default="")
    parser.add_argument("--times", type=int, default=300)
    arguments = parser.parse_args()
    portals = [BenchPortal(data, 0, "") for data in arguments.data]
    medians = first_bytes(
        [p.run["url"] for p in portals], arguments.user, arguments.times
    )
    for name, milliseconds in medians.items():
        ratio = milliseconds[-1] / milliseconds[0]
        print(
            f"{name:10}",
            *(f"{median:8.1f} ms" for median in milliseconds),
            f"{ratio:6.2f}",
        )
    totals = [sum(pss for _, pss in portal.memory().values()) for portal in portals]
    print("memory    ", *(f"{total:8.1f} MB" for total in totals))


if __name__ == "__main__":
    main()
