"""The gateway's event: a Git host reported a push.

Topic `git-push`, key = `host/repository`.
"""

from typing import ClassVar

from shared.contracts.envelope import Payload
from shared.contracts.topics import GIT_PUSH

#: The commit id of a branch that does not exist, before its creation or after deletion.
NO_COMMIT = "0" * 40


def push_key(repository: str) -> str:
    """The key that pushes of `host/repository` are looked up by.

    Most Git hosts ignore the case of repository names, so the name in a webhook may be
    written differently from the registered address. Where a host tells names apart by
    case, what was looked up is compared with the name itself.
    """
    return repository.lower()


class RepositoryPushed(Payload):
    """A push to a repository, reported by its host in a signed webhook.

    `before` and `after` are commit ids (forty zeros: created or deleted).
    `changed_paths` is None if the host did not list all of them. `url` is the
    repository's page.
    """

    TYPE: ClassVar[str] = "callboard.repository.pushed.v1"
    TOPIC: ClassVar[str] = GIT_PUSH

    provider: str
    host: str
    repository: str
    url: str
    ref: str
    before: str
    after: str
    changed_paths: list[str] | None = None
    pusher: str
    pusher_name: str | None = None
    delivery: str
