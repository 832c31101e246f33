"""What a target means in the file that names it: one rule for all who read descriptors.

The catalog's readings follow it, and `callboard validate`, which reads no Git host.
"""

from collections.abc import Callable

from services.catalog.location_types import LOCATION_TYPES, unread_type
from services.catalog.model import LocationRef
from services.catalog.ports import Compute
from services.catalog.readers.files import FileReader
from shared.contracts.errors import Forbidden, Invalid
from shared.guards.addresses import is_web_address
from shared.guards.globs import select_paths
from shared.kit.git.addresses import GitTarget, is_absolute, resolve

#: The place in Git of a web address; None if it is read over HTTP.
Locate = Callable[[str], GitTarget | None]


class TargetRules:
    """Resolves the targets of Location entities and placeholders."""

    def __init__(self, files: FileReader, locate: Locate) -> None:
        self._files = files
        self._locate = locate

    def resolve(
        self, base: LocationRef, target: str, kind: str | None = None
    ) -> LocationRef:
        """A target as a Location entity at `base` means it.

        Raises:
            Invalid: if it is nothing that is read.
            Forbidden: if it is a file, and `base` is none.
        """
        kind = kind or base.type
        if kind not in LOCATION_TYPES:
            raise Invalid(f"spec.type: {unread_type(kind)}")
        if kind == "file":
            if base.type != "file":
                raise Forbidden(
                    "spec.type: what is read from an address may not point to files; "
                    "use the type url"
                )
            return self._files.resolve(base, target)
        absolute = target
        if base.type != "file":
            absolute = resolve(base.target, self._locate(base.target), target)
        location = LocationRef("url", absolute)
        require_url(location)
        return location

    def included(self, base: LocationRef, target: str) -> LocationRef:
        """The file that a placeholder at `base` means.

        Raises:
            Forbidden: if it is in another repository, or on another branch.
        """
        if base.type == "file" and not is_web_address(target):
            return self._files.resolve(base, target)
        location = self.resolve(base, target, "url")
        location_target, base_target = self.target(location), self.target(base)
        if location_target is not None and (
            base_target is None
            or (location_target.host, location_target.repository)
            != (base_target.host, base_target.repository)
        ):
            raise Forbidden(
                f"placeholder: {location.target} must be in the repository of {base}"
            )
        if (
            location_target is not None
            and base_target is not None
            and not is_absolute(target)
            and location_target.ref != base_target.ref
        ):
            raise Forbidden(f"placeholder: {target} leads out of the repository")
        return location

    def target(self, location: LocationRef) -> GitTarget | None:
        """The place in Git of a location; None if it is read otherwise."""
        return self._locate(location.target) if location.type == "url" else None


async def matching_files(
    location: LocationRef, pattern: GitTarget, paths: bytes, compute: Compute
) -> list[LocationRef]:
    """The files of a repository, as `joined_paths`, that a location's path matches."""
    matching_paths = await compute(select_paths, pattern.path, "target", paths)
    if matching_paths == [pattern.path]:
        return [location]
    return [LocationRef("url", pattern.at(path).url()) for path in matching_paths]


def require_url(location: LocationRef) -> None:
    """Check that a location is a web address.

    Raises:
        Invalid: naming the location's type or target.
    """
    if location.type != "url":
        raise Invalid(f"location: {location.type!r} is no type of location")
    if not is_web_address(location.target):
        raise Invalid(f"target: {location.target!r} must be an http(s) URL")
