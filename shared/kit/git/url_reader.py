"""Reads what a URL points to: by Git for known hosts, else by HTTP if allowed."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import aiohttp
from yarl import URL

from shared.contracts.errors import (
    CallboardError,
    Forbidden,
    Invalid,
    NotFound,
    TooLarge,
    Unavailable,
)
from shared.guards.addresses import (
    Address,
    AddressRule,
    join_address,
    parse_address,
)
from shared.kit.config.integrations import ReadingAllow
from shared.kit.git.addresses import GitTarget, NoPlace, resolve
from shared.kit.git.mirrors import RepositoryMirrors, no_repository

LIMIT = 10 * 1024 * 1024
SECONDS = 20.0
REDIRECTS = 5
FOLLOWED = frozenset({301, 302, 303, 307, 308})


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
        try:
            self._allow = [AddressRule(rule.host, rule.paths) for rule in allow]
        except Invalid as error:
            raise Invalid(f"backend.reading.allow: {error.message}") from error
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
        target = self.locate(url)
        if target is not None:
            target, commit = await self.mirrors.resolve(target)
            if etag == commit:
                return UrlContent(b"", etag, commit, target, unchanged=True)
            body = await self.mirrors.read(target, commit, target.path)
            return UrlContent(body, commit, commit, target)
        return await self._get(url, etag)

    def locate(self, url: str) -> GitTarget | None:
        """What a web address means in Git; None if it is to be read over HTTP.

        Raises:
            NoPlace: if it is no place in a repository of its host, nor allowed.
            Invalid: if it leads outside the repository.
        """
        try:
            return self.mirrors.locate(url)
        except NoPlace:
            # Releases and other pages of a Git host may be allowed as any address.
            address = parse_address(url, users=True)
            if not any(rule.covers(address) for rule in self._allow):
                raise
            return None

    async def missing_repository(self, target: GitTarget) -> str:
        """What is said of a repository that is not there, after about as long.

        For one that somebody may not read: they learn nothing from words or time.
        """
        if target.kind != "local":
            # What is not there costs a question to the host as well.
            with contextlib.suppress(CallboardError):
                await self.mirrors.fetch(target)
        return no_repository(target)

    def require_allowed(self, url: str) -> Address:
        """The normal form of `url`, to be asked for as it is.

        Raises:
            Invalid: if it is no address, or one that can be read in two ways.
            Forbidden: unless `backend.reading.allow` has its host and path.
        """
        address = parse_address(url)
        if not any(rule.covers(address) for rule in self._allow):
            raise Forbidden(
                f"Reading from '{url}' is not allowed. You may need to configure an "
                "integration for the target host, or add it to the configured list of "
                "allowed hosts at 'backend.reading.allow'"
            )
        return address

    def resolve(self, base: str, relative: str) -> str:
        """`relative` as seen from the file at `base`; an absolute URL stays itself."""
        return resolve(base, self.locate(base), relative)

    async def _get(self, url: str, etag: str | None) -> UrlContent:
        address = self.require_allowed(url)
        for _ in range(REDIRECTS + 1):
            answer = await self._ask(address, etag)
            if isinstance(answer, UrlContent):
                return answer
            following = self.require_allowed(join_address(address.url, answer))
            if address.scheme == "https" and following.scheme == "http":
                raise Invalid(f"url: {url} redirects to an address without TLS")
            address = following
        raise Invalid(f"url: {url} redirects more than {REDIRECTS} times")

    async def _ask(self, address: Address, etag: str | None) -> UrlContent | str:
        """What is there, or the address to which it redirects."""
        url = address.url
        if self._session is None:
            # The machine's proxies are asked, as by `git`.
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=SECONDS), trust_env=True
            )
        headers = {"If-None-Match": etag} if etag else {}
        try:
            # Each redirect is compared with what is allowed before it is followed.
            async with self._session.get(
                URL(url, encoded=True), headers=headers, allow_redirects=False
            ) as answer:
                if answer.status == 304:
                    return UrlContent(b"", etag, unchanged=True)
                if answer.status in FOLLOWED and "Location" in answer.headers:
                    return answer.headers["Location"]
                _raise_for(answer, url)
                body = await _limited(answer, url)
                return UrlContent(body, answer.headers.get("ETag"))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(
                f"Unable to read {url}: {address.netloc} does not answer"
            ) from error


def _raise_for(answer: aiohttp.ClientResponse, url: str) -> None:
    if answer.status == 404:
        raise NotFound(f"Unable to read url, no such file: {url}")
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
