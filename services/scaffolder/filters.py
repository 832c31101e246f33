"""The scaffolder's own filters: refs and repository URLs. Listed for template authors.

Rules: facts of Backstage's `parseRepoUrl`, `parseEntityRef`, `pick`, `projectSlug`.
"""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from services.scaffolder.dialect.calling import Call, Operation
from services.scaffolder.dialect.failure import ValueFailure
from services.scaffolder.dialect.values import UNDEFINED, text
from shared.contracts.errors import Invalid
from shared.contracts.ref import parse_ref

_DRAFT = {"$schema": "http://json-schema.org/draft-07/schema#"}
_PARTS = ("owner", "organization", "project", "workspace")


@dataclass(frozen=True, slots=True)
class RepositoryPlace:
    """Where a repository is or will be, as the repository picker writes it."""

    host: str
    repo: str
    owner: str | None = None
    organization: str | None = None
    project: str | None = None
    workspace: str | None = None

    @property
    def slug(self) -> str:
        """`owner/repo`, or the repository's name where the host has no owners."""
        return f"{self.owner}/{self.repo}" if self.owner else self.repo

    def document(self) -> dict[str, str]:
        parts = {name: getattr(self, name) for name in ("host", *_PARTS, "repo")}
        return {name: value for name, value in parts.items() if value}


def parse_place(value: str) -> RepositoryPlace:
    """The place that `host?owner=o&repo=r` names.

    Raises:
        Invalid: if there is no host or no repository in it.
    """
    host, _, query = value.removeprefix("https://").partition("?")
    host = host.partition("/")[0].lower()
    given = {name: values[0] for name, values in parse_qs(query).items()}
    if not host or any(character.isspace() for character in host):
        raise Invalid(f"repoUrl: no host in {value!r}, expected host?owner=o&repo=r")
    if not given.get("repo"):
        raise Invalid(f"repoUrl: no repo in {value!r}, expected host?owner=o&repo=r")
    return RepositoryPlace(
        host=host, repo=given["repo"], **{name: given.get(name) for name in _PARTS}
    )


def _repository(call: Call) -> dict[str, str]:
    return _place(call).document()


def _slug(call: Call) -> str:
    place = _place(call)
    if not place.owner:
        raise ValueFailure("the repository URL has no owner")
    return place.slug


def _place(call: Call) -> RepositoryPlace:
    if not isinstance(call.value, str):
        raise ValueFailure("a repository URL is a string")
    try:
        return parse_place(call.value)
    except Invalid as error:
        raise ValueFailure(error.message) from error


def _ref(call: Call) -> dict[str, str]:
    context = call.arg(0, {})
    given = call.value
    if not isinstance(context, dict) or not isinstance(given, (str, dict)):
        raise ValueFailure("an entity ref is a string")
    kind = context.get("defaultKind")
    namespace = context.get("defaultNamespace") or "default"
    if isinstance(given, dict):
        found = {"kind": kind, "namespace": namespace, **given}
        if not all(isinstance(found.get(part), str) for part in ("kind", "name")):
            raise ValueFailure("an entity ref needs kind and name")
        return {part: str(found[part]) for part in ("kind", "namespace", "name")}
    try:
        ref = parse_ref(given, default_kind=kind, default_namespace=namespace)
    except Invalid as error:
        raise ValueFailure(error.message) from error
    return {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name}


def _pick(call: Call) -> Any:
    if not isinstance(call.value, dict):
        return UNDEFINED
    return call.value.get(text(call.arg(0)), UNDEFINED)


@dataclass(frozen=True, slots=True)
class TemplateFilter:
    """A filter that templates may use, with what its author should know."""

    name: str
    run: Operation
    description: str
    schema: dict[str, Any]
    examples: list[dict[str, str]] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        return {
            "description": self.description,
            "schema": self.schema,
            "examples": self.examples,
        }


def _example(expression: str, given: str, made: str) -> dict[str, str]:
    return {
        "description": f"`{given}` becomes `{made}`",
        "example": (
            f"- id: log\n  action: debug:log\n  input:\n    message: ${{{{ {expression} }}}}"
        ),
        "notes": f"- **Input**: `{given}`\n- **Output**: `{made}`",
    }


def _objects(*names: str) -> dict[str, Any]:
    properties = {name: {"type": "string"} for name in names}
    return {"type": "object", "properties": properties, **_DRAFT}


_TEXT = {"type": "string", **_DRAFT}
_DEFAULTS = _objects("defaultKind", "defaultNamespace")


def template_filters() -> list[TemplateFilter]:
    """The filters that every template has besides Nunjucks' own."""
    return [
        TemplateFilter(
            "parseRepoUrl",
            _repository,
            "The parts of a repository URL: host, owner, repo and so on.",
            {"input": _TEXT, "output": _objects("host", *_PARTS, "repo")},
            [
                _example(
                    "parameters.repoUrl | parseRepoUrl",
                    "github.com?owner=acme&repo=shop",
                    '{"host":"github.com","owner":"acme","repo":"shop"}',
                )
            ],
        ),
        TemplateFilter(
            "parseEntityRef",
            _ref,
            "The parts of an entity ref: kind, namespace and name.",
            {
                "input": _TEXT,
                "arguments": [_DEFAULTS],
                "output": _objects("kind", "namespace", "name"),
            },
            [
                _example(
                    "parameters.owner | parseEntityRef",
                    "group:default/stage",
                    '{"kind":"group","namespace":"default","name":"stage"}',
                )
            ],
        ),
        TemplateFilter(
            "pick",
            _pick,
            "One member of an object, by its name.",
            {"input": _DRAFT, "arguments": [_TEXT], "output": _DRAFT},
            [
                _example(
                    "parameters.owner | parseEntityRef | pick('name')",
                    "group:default/stage",
                    "stage",
                )
            ],
        ),
        TemplateFilter(
            "projectSlug",
            _slug,
            "`owner/repo` of a repository URL.",
            {"input": _TEXT, "output": _TEXT},
            [
                _example(
                    "parameters.repoUrl | projectSlug",
                    "github.com?owner=acme&repo=shop",
                    "acme/shop",
                )
            ],
        ),
    ]
