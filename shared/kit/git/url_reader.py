"""Reads URLs: by Git from the hosts of `integrations`, by HTTP from allowed hosts."""

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
from shared.kit.git.addresses import GitTarget, NotInRepository, resolve
from shared.kit.git.mirrors import RepositoryMirrors
from shared.kit.git.not_found import repository_not_found_message

LIMIT = 10 * 1024 * 1024
SECONDS = 20.0
REDIRECTS = 5
REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class UrlContent:
    """The content of a URL; with `is_unchanged` its etag is current, `body` empty."""

    body: bytes
    etag: str | None = None
    commit: str | None = None
    target: GitTarget | None = None
    is_unchanged: bool = False


class UrlReader:
    """Reads descriptors, placeholders and skeletons."""

    def __init__(
        self, allow: Sequence[ReadingAllow], mirrors: RepositoryMirrors
    ) -> None:
        self._allow = [AddressRule(rule.host, rule.paths) for rule in allow]
        self.mirrors = mirrors
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def read(self, url: str, *, etag: str | None = None) -> UrlContent:
        """The content of `url`.

        Raises:
            NotFound: if it does not exist.
            Forbidden: if the host is neither an integration nor allowed.
            TooLarge: if it is over `LIMIT` bytes.
            Unavailable: if the host does not answer.
        """
        target = self.locate(url)
        if target is not None:
            target, commit = await self.mirrors.resolve(target)
            if etag == commit:
                return UrlContent(b"", etag, commit, target, is_unchanged=True)
            body = await self.mirrors.read(target, commit, target.path)
            return UrlContent(body, commit, commit, target)
        return await self._get(url, etag)

    def locate(self, url: str) -> GitTarget | None:
        """The target of a web address in Git; None if it is read over HTTP.

        Raises:
            NotInRepository: if it is no file of a repository, and not allowed either.
            Invalid: if it leads outside the repository.
        """
        try:
            return self.mirrors.locate(url)
        except NotInRepository:
            # Other pages of a Git host, such as releases, may be allowed for HTTP.
            address = parse_address(url, users=True)
            if not any(rule.covers(address) for rule in self._allow):
                raise
            return None

    async def missing_repository(self, target: GitTarget) -> str:
        """The message for a repository that does not exist, after about as long a time.

        It is used for repositories that the caller may not read, so that neither text
        nor time reveals that they exist.
        """
        if target.kind != "local":
            # An absent repository also costs a request to the host.
            with contextlib.suppress(CallboardError):
                await self.mirrors.fetch(target)
        return repository_not_found_message(target)

    def require_allowed(self, url: str) -> Address:
        """The normal form of `url`, to be requested as it is.

        Raises:
            Invalid: if it is not an address, or can be read in two ways.
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
        """Resolve `relative` against the file at `base`."""
        return resolve(base, self.locate(base), relative)

    async def _get(self, url: str, etag: str | None) -> UrlContent:
        address = self.require_allowed(url)
        for _ in range(REDIRECTS + 1):
            result = await self._request(address, etag)
            if isinstance(result, UrlContent):
                return result
            redirect = self.require_allowed(join_address(address.url, result))
            if address.scheme == "https" and redirect.scheme == "http":
                raise Invalid(f"url: {url} redirects to an address without TLS")
            address = redirect
        raise Invalid(f"url: {url} redirects more than {REDIRECTS} times")

    async def _request(self, address: Address, etag: str | None) -> UrlContent | str:
        """The content of an address, or the target of its redirect."""
        url = address.url
        if self._session is None:
            # `trust_env`: the machine's proxies are used, as by `git`.
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=SECONDS), trust_env=True
            )
        headers = {"If-None-Match": etag} if etag else {}
        try:
            # Each redirect is checked against the rules before it is followed.
            async with self._session.get(
                URL(url, encoded=True), headers=headers, allow_redirects=False
            ) as response:
                if response.status == 304:
                    return UrlContent(b"", etag, is_unchanged=True)
                if (
                    response.status in REDIRECT_STATUSES
                    and "Location" in response.headers
                ):
                    return response.headers["Location"]
                _raise_for_status(response, url)
                body = await _read_limited(response, url)
                return UrlContent(body, response.headers.get("ETag"))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(
                f"Unable to read {url}: {address.netloc} does not answer"
            ) from error


def _raise_for_status(response: aiohttp.ClientResponse, url: str) -> None:
    if response.status == 404:
        raise NotFound(f"Unable to read url, no such file: {url}")
    if response.status >= 500:
        raise Unavailable(f"Unable to read {url}: it answered {response.status}")
    if response.status != 200:
        raise Invalid(f"url: {url} could not be read: it answered {response.status}")


async def _read_limited(response: aiohttp.ClientResponse, url: str) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(64 * 1024):
        size += len(chunk)
        if size > LIMIT:
            raise TooLarge(f"{url}: over the limit of {LIMIT} bytes")
        parts.append(chunk)
        await asyncio.sleep(0)
    return b"".join(parts)
