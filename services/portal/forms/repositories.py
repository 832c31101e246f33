"""Repositories as answers: Backstage's `host?owner=o&repo=r`, its parts by host."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode

from services.portal.forms.model import FormField, Path
from shared.kit.config import public_hosts

LABELS = {
    "organization": "Organization",
    "owner": "Owner",
    "workspace": "Workspace",
    "project": "Project",
    "repo": "Repository",
}
USUAL = ("owner", "repo")
#: Types of hosts whose repositories all have an owner.
OWNED = frozenset({"github", "gitlab", "gitea"})
#: What types of hosts need in place of an owner, all of it.
PARTS = {
    "azure": ("organization", "project", "repo"),
    "bitbucketCloud": ("workspace", "project", "repo"),
    "bitbucketServer": ("project", "repo"),
    # The scaffolder refuses an owner there.
    "local": ("repo",),
}
OWNERS = "/choices?what=repository-owners"
SOURCES = {
    "organization": OWNERS,
    "owner": OWNERS,
    "workspace": OWNERS,
    "repo": "/choices?what=repositories",
}


@dataclass(frozen=True, slots=True)
class RepositoryPart:
    """One part of a repository as the form asks for it."""

    name: str
    label: str
    value: str
    choices: Sequence[str]
    source: str
    required: bool


def repo_parts(value: object) -> dict[str, str]:
    """The host of such a text, and all parts, "" where it has none."""
    host, _, query = str(value or "").partition("?")
    query_values = dict(parse_qsl(query))
    return {"host": host} | {name: query_values.get(name, "") for name in LABELS}


def repo_url(parts: Mapping[str, str], types: Mapping[str, str]) -> str:
    """The text of a repository, with the parts that its host has."""
    names = part_names(parts, types)
    pairs = [(name, parts[name]) for name in names if parts[name]]
    return f"{parts['host']}?{urlencode(pairs)}"


def part_names(parts: Mapping[str, str], types: Mapping[str, str]) -> tuple[str, ...]:
    """The parts that a host's repositories have; of an unknown host all given ones."""
    host_type = types.get(parts["host"])
    if host_type is not None:
        return PARTS.get(host_type, USUAL)
    return tuple(name for name in LABELS if name in USUAL or parts[name])


def needed_parts(host: str, types: Mapping[str, str]) -> tuple[str, ...]:
    """The parts without which a host has no repository; of unknown hosts the name."""
    host_type = types.get(host, "")
    return USUAL if host_type in OWNED else PARTS.get(host_type, ("repo",))


def with_hosts(field: FormField, configured: Mapping[str, str]) -> FormField:
    """The field with the types of the hosts, and the hosts that it offers.

    Where the template lists none, these are the configured ones.
    """
    types = {**public_hosts.TYPES, **configured}
    offered = field.repo["hosts"] or list(configured)
    return replace(field, repo={**field.repo, "types": types, "offered": offered})


def with_parts(field: FormField, typed_url: str) -> FormField:
    """The field with its parts as the form shows them, incomplete as they may be.

    A host that is not offered stays the one that is chosen.
    """
    offered, types = field.repo["offered"], field.repo["types"]
    parts = repo_parts(field.value or typed_url)
    parts["host"] = parts["host"] or (offered[0] if offered else "")
    if offered and parts["host"] not in offered:
        offered = [*offered, parts["host"]]
    controls = [_part(field, name, parts) for name in part_names(parts, types)]
    controls_of_parts = {"offered": offered, "host": parts["host"], "parts": controls}
    kinds = {
        (part_names(repo_parts(host), types), needed_parts(host, types))
        for host in offered
    }
    return replace(
        field,
        repo={**field.repo, **controls_of_parts},
        controls=field.controls or len(kinds) != 1,
    )


def _part(field: FormField, name: str, parts: Mapping[str, str]) -> RepositoryPart:
    choices = field.repo[name]
    is_needed = name in needed_parts(parts["host"], field.repo["types"])
    is_optional = name == "owner" and not choices and not is_needed
    optional = ", if the host has them" if is_optional else ""
    first = choices[0] if choices and name != "repo" else ""
    return RepositoryPart(
        name,
        f"{LABELS[name]}{optional}",
        parts[name] or first,
        choices,
        "" if choices else SOURCES.get(name, ""),
        field.required and is_needed,
    )


def repository_errors(fields: Iterable[FormField]) -> dict[Path, str]:
    """Repositories with a part that is missing, or is not among those listed."""
    errors: dict[Path, str] = {}
    for field in fields:
        if field.kind == "repo" and field.value:
            error = _error(field, repo_parts(field.value))
            if error:
                errors[field.path] = error
    return errors


def _error(field: FormField, parts: Mapping[str, str]) -> str:
    types = field.repo["types"]
    needed = needed_parts(parts["host"], types)
    listed = {**field.repo, "host": field.repo["hosts"]}
    for name in ("host", *part_names(parts, types)):
        word = LABELS.get(name, name).lower()
        if listed[name] and parts[name] not in listed[name]:
            return f"Choose the {word} from the list."
        if name in needed and not parts[name]:
            return f"Enter the {word}: {parts['host']} needs it."
    return ""
