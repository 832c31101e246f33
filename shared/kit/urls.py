"""Reads what a URL points to: by Git for known hosts, else by HTTP if allowed."""

import asyncio
import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import urljoin, urlsplit

import aiohttp

from shared.contracts.errors import Forbidden, Invalid, NotFound, TooLarge, Unavailable
from shared.kit.config import ReadingAllow
from shared.kit.git import RepositoryMirrors
from shared.kit.giturls import GitTarget

LIMIT = 10 * 1024 * 1024
SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class UrlContent:
    """What was read. `unchanged`: the etag given still holds, `body` is empty."""

    body: bytes
    etag: str | None = None
    commit: str | None = None
    target: GitTarget | None = None
    unchanged: bool = False


class UrlReader:
    """One reader for descriptors, placeholders and skeletons."""

    def __init__(
        self, allow: Sequence[ReadingAllow], mirrors: RepositoryMirrors
    ) -> None:
        self._allow = tuple(allow)
        self.mirrors = mirrors
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def read(self, url: str, *, etag: str | None = None) -> UrlContent:
        """The content behind `url`.

        Raises:
            NotFound: if there is nothing.
            Forbidden: if the host is neither an integration nor allowed.
            TooLarge: if it is over `LIMIT` bytes.
            Unavailable: if the host does not answer.
        """
        target = self.mirrors.locate(url)
        if target is not None:
            commit = await self.mirrors.fetch(target)
            if etag == commit:
                return UrlContent(b"", etag, commit, target, unchanged=True)
            body = await self.mirrors.read(target, commit, target.path)
            return UrlContent(body, commit, commit, target)
        self.require_allowed(url)
        return await self._get(url, etag)

    def require_allowed(self, url: str) -> None:
        """Raise Forbidden unless `backend.reading.allow` has the host and path."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise Invalid(f"url: {url!r} is not an http(s) address")
        for rule in self._allow:
            host_fits = fnmatch.fnmatch(parts.netloc.lower(), rule.host.lower())
            if host_fits and (
                not rule.paths or any(parts.path.startswith(p) for p in rule.paths)
            ):
                return
        raise Forbidden(
            f"Reading from '{url}' is not allowed. You may need to configure an "
            "integration for the target host, or add it to the configured list of "
            "allowed hosts at 'backend.reading.allow'"
        )

    async def _get(self, url: str, etag: str | None) -> UrlContent:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=SECONDS)
            )
        headers = {"If-None-Match": etag} if etag else {}
        try:
            # Redirects could lead to a host that is not allowed: they are refused.
            async with self._session.get(
                url, headers=headers, allow_redirects=False
            ) as answer:
                if answer.status == 304:
                    return UrlContent(b"", etag, unchanged=True)
                _raise_for(answer, url)
                body = await _limited(answer, url)
                return UrlContent(body, answer.headers.get("ETag"))
        except (aiohttp.ClientError, TimeoutError) as error:
            host = urlsplit(url).netloc
            raise Unavailable(
                f"Unable to read {url}: {host} does not answer"
            ) from error


def resolve(base: str, relative: str) -> str:
    """`relative` as seen from the file at `base`; an absolute URL stays itself."""
    return urljoin(base, relative)


def _raise_for(answer: aiohttp.ClientResponse, url: str) -> None:
    if answer.status == 404:
        raise NotFound(f"Unable to read url, no such file: {url}")
    if 300 <= answer.status < 400:
        raise Invalid(f"url: {url} redirects, which is not followed")
    if answer.status >= 500:
        raise Unavailable(f"Unable to read {url}: it answered {answer.status}")
    if answer.status != 200:
        raise Invalid(f"url: {url} could not be read: it answered {answer.status}")


async def _limited(answer: aiohttp.ClientResponse, url: str) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for chunk in answer.content.iter_chunked(64 * 1024):
        size += len(chunk)
        if size > LIMIT:
            raise TooLarge(f"{url}: over the limit of {LIMIT} bytes")
        parts.append(chunk)
        await asyncio.sleep(0)
    return b"".join(parts)
