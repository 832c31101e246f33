"""What the targets of a Location entity are: addresses, paths and patterns."""

import re
from collections.abc import Sequence
from itertools import islice
from urllib.parse import parse_qs, unquote

from services.catalog.model import LocationRef
from shared.contracts.entity import Entity
from shared.contracts.errors import Invalid
from shared.guards.addresses import is_web_address, split_address
from shared.guards.globs import is_pattern

#: Characters of which every pattern has one, written or escaped.
_MAY_BE_PATTERN = re.compile(r"[*?\[{(%]")
#: Targets of one Location entity, as many as one reading of a location has, and those
#: of them that are patterns.
MOST_TARGETS = 20_000
MOST_PATTERNS = 100


def targets_of(entity: Entity) -> tuple[str | None, list[str], bool]:
    """A Location entity's type, its targets and whether they may be missing."""
    spec = entity.spec
    targets = [spec["target"]] if isinstance(spec.get("target"), str) else []
    targets += spec.get("targets") or []
    kind = spec.get("type")
    return kind, list(dict.fromkeys(targets)), spec.get("presence") == "optional"


def fields_of(entity: Entity) -> dict[str, str]:
    """The field that each target of a Location entity stands in first."""
    spec = entity.spec
    fields = {
        target: f"spec.targets.{number}"
        for number, target in reversed(list(enumerate(spec.get("targets") or [])))
    }
    if isinstance(spec.get("target"), str):
        fields[spec["target"]] = "spec.target"
    return fields


def without_own_file(
    matches: Sequence[LocationRef], target: LocationRef, origin: LocationRef | None
) -> list[LocationRef]:
    """The files that a target in the file at `origin` means.

    A pattern means the other files, also where its own fits it.
    """
    if target == origin:
        return list(matches)
    return [location for location in matches if location != origin]


def may_spread(target: str) -> bool:
    """Whether a target's path is a pattern, which means several files."""
    if not _MAY_BE_PATTERN.search(target):
        return False
    if not is_web_address(target):
        return is_pattern(target)
    try:
        parts = split_address(target)
    except Invalid:
        # The reading of it raises the error.
        return False
    # Azure DevOps writes the path of a file as an argument.
    paths = [unquote(parts.path), *parse_qs(parts.query).get("path", ())]
    if parts.query and "=" not in parts.query:
        # No arguments, but a sign in a path.
        paths.append(f"?{unquote(parts.query)}")
    return any(is_pattern(path) for path in paths)


def require_few_targets(entity: Entity) -> None:
    """Refuse a Location of very many targets before any of them is looked up.

    Patterns are fewer still: each lists all files of its source.

    Raises:
        Invalid: naming the field and the limit.
    """
    targets = targets_of(entity)[1]
    if len(targets) > MOST_TARGETS:
        raise Invalid(
            f"spec.targets: {len(targets):,} targets, over the limit of "
            f"{MOST_TARGETS:,}; name folders by patterns, such as "
            "./services/*/catalog-info.yaml, or spread them over several locations"
        )
    patterns = filter(may_spread, targets)
    if next(islice(patterns, MOST_PATTERNS, None), None) is not None:
        raise Invalid(
            f"spec.targets: over {MOST_PATTERNS} patterns with wildcards; name folders "
            "by one pattern, such as ./services/*/catalog-info.yaml, or files without"
        )
