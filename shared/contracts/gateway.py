"""What the gateway says: a Git host told of a push.

Topic `git-push`, key = `host/repository`.
"""

from typing import ClassVar

from shared.contracts.envelope import Payload
from shared.contracts.topics import GIT_PUSH

#: Stands for a commit where there is none: a branch that was made or deleted.
NO_COMMIT = "0" * 40


def push_key(repository: str) -> str:
    """What pushes are matched by, of `host/repository`.

    Hosts do not tell the names of repositories apart by case: what a host sends need
    not be written as in the address that somebody registered.
    """
    return repository.lower()


class RepositoryPushed(Payload):
    """Somebody pushed to a repository, as its host said in a signed webhook.

    `before` and `after` are commit ids (forty zeros: created or deleted).
    `changed_paths` is None when the host did not list them all. `url` is the
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
