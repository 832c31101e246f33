"""Whether a delivery was sent by a host that knows the shared secret.

GitHub, Gitea and Bitbucket sign the raw body with HMAC-SHA256; GitLab sends the secret
itself. Everything is compared in constant time, and with every secret of the provider.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from shared.contracts.errors import Forbidden

Provider = Literal["github", "gitlab", "gitea", "bitbucket"]

#: Where each provider puts the signature; the first that is there counts.
SIGNATURE_HEADERS: dict[str, tuple[str, ...]] = {
    "github": ("x-hub-signature-256",),
    "gitea": ("x-gitea-signature", "x-hub-signature-256"),
    "bitbucket": ("x-hub-signature-256", "x-hub-signature"),
}
GITLAB_HEADER = "x-gitlab-token"


@dataclass(frozen=True, slots=True)
class HookSecret:
    """The secret that one host (`github.com`, `git.example:3000`) signs with."""

    provider: Provider
    host: str
    secret: str


def signing_hosts(
    provider: Provider,
    headers: Mapping[str, str],
    body: bytes,
    secrets: Iterable[HookSecret],
) -> frozenset[str]:
    """The hosts whose secret this delivery proves.

    Raises:
        Forbidden: if there is none: unsigned, forged, or no secret is configured.
    """
    known = [secret for secret in secrets if secret.provider == provider]
    if not known:
        raise Forbidden(f"No webhookSecret is configured for a {provider} integration")
    given = _signature_in(provider, headers)
    if not given:
        raise Forbidden("The delivery is not signed")
    hosts = frozenset(
        secret.host.lower()
        for secret in known
        if hmac.compare_digest(_expected(secret, body), given)
    )
    if not hosts:
        raise Forbidden("The delivery's signature is wrong")
    return hosts


def _signature_in(provider: Provider, headers: Mapping[str, str]) -> bytes:
    if provider == "gitlab":
        return headers.get(GITLAB_HEADER, "").encode()
    for name in SIGNATURE_HEADERS[provider]:
        found = headers.get(name)
        if found:
            return found.removeprefix("sha256=").strip().lower().encode()
    return b""


def _expected(secret: HookSecret, body: bytes) -> bytes:
    if secret.provider == "gitlab":
        return secret.secret.encode()
    signature = hmac.new(secret.secret.encode(), body, hashlib.sha256)
    return signature.hexdigest().encode()
