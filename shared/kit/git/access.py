"""The credentials, proxies and certificate authorities of `git` commands.

They are passed through the environment: arguments are visible in the process list, and
git's error messages repeat URLs with their passwords.
"""

import base64
import os
import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from shared.kit.config.integrations import Integration

#: The variable with the repository that a command is about, which its errors name.
REPOSITORY = "CALLBOARD_REPOSITORY"
#: Proxy variables of the machine; programs read them in upper or lower case.
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
#: Git's variables for certificate authorities, with OpenSSL's names of the same.
AUTHORITIES = {"GIT_SSL_CAINFO": "SSL_CERT_FILE", "GIT_SSL_CAPATH": "SSL_CERT_DIR"}
_AUTHORITY = re.compile(r"(?im)^[ \t]*+sslca(info|path)[ \t]*+=")
#: The user names that hosts expect with a token that belongs to no user.
TOKEN_USERS = {
    "github": "x-access-token",
    "gitlab": "oauth2",
    "gitea": "x-access-token",
    "bitbucket_cloud": "x-token-auth",
    "azure": "",
}
#: The user name for an Atlassian account's API token (not the account's e-mail
#: address).
ATLASSIAN_USER = "x-bitbucket-api-token-auth"


def network_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The proxies and authorities of this process, as `git` and `curl` read them."""
    network = {}
    for name in PROXIES:
        # curl reads `http_proxy` in lower case only.
        value = environ.get(name.lower()) or environ.get(name)
        if value:
            network[name.lower()] = value
    if not _configures_authorities(Path(environ.get("HOME", "/")) / ".gitconfig"):
        for git_name, openssl_name in AUTHORITIES.items():
            value = environ.get(git_name) or environ.get(openssl_name)
            if value:
                network[git_name] = value
    return network


def _configures_authorities(settings: Path) -> bool:
    """Whether the user's Git settings configure certificate authorities.

    These settings are more specific than the machine's variables, but Git would prefer
    the variables.
    """
    try:
        return bool(_AUTHORITY.search(settings.read_text(errors="replace")))
    except OSError:
        return False


def access_environment(
    kind: str, integration: Integration, *, host: str, repository: str
) -> dict[str, str]:
    """The additional variables of a `git` command for one repository of a host."""
    environment = {REPOSITORY: f"{repository} at {host}"}
    if integration.ca_file is not None:
        environment["GIT_SSL_CAINFO"] = str(integration.ca_file)
    header = authorization(kind, integration, repository)
    if header is not None:
        environment |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.https://{host}/.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: {header}",
        }
    return environment


def authorization(kind: str, integration: Integration, repository: str) -> str | None:
    """The `Authorization` header for a host of this kind; None without a secret."""
    secret = _secret(integration, repository)
    if secret is None:
        return None
    user = integration.username
    if kind == "bitbucket_server" and user is None:
        return f"Bearer {secret.get_secret_value()}"
    if user is None:
        user = TOKEN_USERS.get(kind, "x-access-token")
    elif kind == "bitbucket_cloud" and "@" in user:
        user = ATLASSIAN_USER
    raw = f"{user}:{secret.get_secret_value()}".encode()
    return f"Basic {base64.b64encode(raw).decode()}"


def _secret(integration: Integration, repository: str) -> SecretStr | None:
    """The secret for a repository: its organisation's, else the host's."""
    organization = repository.partition("/")[0].lower()
    default = integration.token or integration.app_password or integration.password
    for credential in integration.credentials:
        if organization in map(str.lower, credential.organizations):
            return credential.personal_access_token or default
        if not credential.organizations:
            default = default or credential.personal_access_token
    return default
