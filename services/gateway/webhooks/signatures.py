"""Verifies that a delivery comes from a host with the shared secret.

GitHub, Gitea and Bitbucket sign the raw body with HMAC-SHA256; GitLab sends the secret
itself. A signature is compared in constant time, with every secret of the provider.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from shared.contracts.errors import Forbidden

Provider = Literal["github", "gitlab", "gitea", "bitbucket"]

#: The headers of each provider's signature; the first one that is present counts.
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
    """The hosts whose secret signed this delivery.

    Raises:
        Forbidden: if there is none: unsigned, forged, or no secret is configured.
    """
    provider_secrets = [secret for secret in secrets if secret.provider == provider]
    if not provider_secrets:
        raise Forbidden(f"No webhookSecret is configured for a {provider} integration")
    signature = _signature_in(provider, headers)
    if not signature:
        raise Forbidden("The delivery is not signed")
    hosts = frozenset(
        secret.host.lower()
        for secret in provider_secrets
        if hmac.compare_digest(_expected(secret, body), signature)
    )
    if not hosts:
        raise Forbidden("The delivery's signature is wrong")
    return hosts


def _signature_in(provider: Provider, headers: Mapping[str, str]) -> bytes:
    if provider == "gitlab":
        return headers.get(GITLAB_HEADER, "").encode()
    for name in SIGNATURE_HEADERS[provider]:
        value = headers.get(name)
        if value:
            return value.removeprefix("sha256=").strip().lower().encode()
    return b""


def _expected(secret: HookSecret, body: bytes) -> bytes:
    if secret.provider == "gitlab":
        return secret.secret.encode()
    signature = hmac.new(secret.secret.encode(), body, hashlib.sha256)
    return signature.hexdigest().encode()
