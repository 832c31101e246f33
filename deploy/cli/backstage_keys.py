"""Keys of Backstage's configuration that have no meaning here, and what has.

They are no mistakes of typing, so that no similar key is proposed.
"""

import re

_DISCOVERY = "catalog.providers.git finds the repositories of every host"
_PEOPLE = "a file of User and Group entities describes the organisation"
#: Keys with `*` for a number, each with advice or "".
_KEYS = {
    "backend.auth": "tokens of programs (externalAccess) are auth.staticTokens here",
    "catalog.processors": "",
    "catalog.providers.azureDevOps": _DISCOVERY,
    "catalog.providers.bitbucketCloud": _DISCOVERY,
    "catalog.providers.bitbucketServer": _DISCOVERY,
    "catalog.providers.gerrit": _DISCOVERY,
    "catalog.providers.gitea": _DISCOVERY,
    "catalog.providers.github": _DISCOVERY,
    "catalog.providers.githubOrg": _PEOPLE,
    "catalog.providers.gitlab": _DISCOVERY,
    "catalog.providers.ldapOrg": _PEOPLE,
    "catalog.providers.microsoftGraphOrg": _PEOPLE,
    "integrations.bitbucket": "use bitbucketCloud or bitbucketServer",
    "integrations.github.*.rawBaseUrl": "",
    "techdocs.builder": "",
    "techdocs.cache": "",
    "techdocs.generator": "",
    "techdocs.publisher": "",
}
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")


def backstage_advice(key: str) -> str | None:
    """What to use instead of a key of Backstage, perhaps ""; None for other keys."""
    return _KEYS.get(_NUMBER.sub("*", key))
