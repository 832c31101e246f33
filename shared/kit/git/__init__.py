"""Source code by Git: mirrors of repositories, read at a commit."""

from shared.kit.git.mirrors import RepositoryMirrors

__all__ = ["RepositoryMirrors"]
