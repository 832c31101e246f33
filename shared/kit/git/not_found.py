"""What is said of repositories and refs that do not exist."""

from shared.kit.git.addresses import GitTarget


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
