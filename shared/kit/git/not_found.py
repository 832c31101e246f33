"""What is said of repositories and refs that do not exist."""

from typing import TypeVar

from shared.contracts.errors import CallboardError, NotFound
from shared.kit.git.addresses import GitTarget

Error = TypeVar("Error", bound=CallboardError)


class RefNotFound(NotFound):
    """The repository could be read, and has no such branch, tag or commit."""


def fresh_copy(error: Error) -> Error:
    """The same error without the places where it was raised, to be raised again."""
    kind = type(error)
    fresh = kind.__new__(kind, *error.args)
    vars(fresh).update(vars(error))
    return fresh


def repository_not_found_message(target: GitTarget) -> str:
    """The message for a repository that does not exist."""
    return f"There is no repository {target.repository} at {target.host}"


def ref_not_found_message(target: GitTarget) -> str:
    """The message for a branch, tag or commit that does not exist."""
    repository = f"{target.repository} at {target.host}"
    if target.is_open:
        return (
            f"{repository} has no ref {target.ref}, and no branch or tag with a longer "
            f"name that {target.ref}/{target.path} begins with"
        )
    if not target.ref:
        return f"{repository} has no commit on its default branch"
    return f"{repository} has no ref {target.ref}"
