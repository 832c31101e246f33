"""The scaffolder's own filters: refs and repository URLs. Listed for template authors.

The rules are those of Backstage's `parseRepoUrl`, `parseEntityRef`, `pick` and
`projectSlug`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from services.scaffolder.dialect.calling import Call, Operation
from services.scaffolder.dialect.failure import ValueFailure
from services.scaffolder.dialect.values import UNDEFINED, text
from services.scaffolder.model import JsonObject, Schema
from shared.contracts.errors import Invalid
from shared.contracts.ref import parse_ref

_DRAFT = {"$schema": "http://json-schema.org/draft-07/schema#"}
_LONGEST = 2_000
_PARTS = ("owner", "organization", "project", "workspace")


@dataclass(frozen=True, slots=True)
class RepositoryPlace:
    """The host and name of a repository, as the repository picker writes it."""

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
    """The place in `host?owner=o&repo=r`.

    Raises:
        Invalid: if there is no host or no repository in it.
    """
    host, _, query = value.removeprefix("https://").partition("?")
    host = host.partition("/")[0].lower()
    arguments = {name: values[0] for name, values in parse_qs(query).items()}
    if not host or any(character.isspace() for character in host):
        raise Invalid(f"repoUrl: no host in {value!r}, expected host?owner=o&repo=r")
    if not arguments.get("repo"):
        raise Invalid(f"repoUrl: no repo in {value!r}, expected host?owner=o&repo=r")
    return RepositoryPlace(
        host=host,
        repo=arguments["repo"],
        **{name: arguments.get(name) for name in _PARTS},
    )


def _repository(call: Call) -> dict[str, str]:
    return _place(call).document()


def _slug(call: Call) -> str:
    place = _place(call)
    if not place.owner:
        raise ValueFailure("the repository URL has no owner")
    return place.slug


def _place(call: Call) -> RepositoryPlace:
    if not isinstance(call.value, str) or len(call.value) > _LONGEST:
        raise ValueFailure(f"a repository URL is a string of up to {_LONGEST} letters")
    try:
        return parse_place(call.value)
    except Invalid as error:
        raise ValueFailure(error.message) from error


def _ref(call: Call) -> dict[str, str]:
    context = call.arg(0, {})
    value = call.value
    if not isinstance(context, dict) or not isinstance(value, (str, dict)):
        raise ValueFailure("an entity ref is a string")
    if len(value) > _LONGEST:
        raise ValueFailure(f"an entity ref has up to {_LONGEST} letters")
    kind = context.get("defaultKind")
    namespace = context.get("defaultNamespace") or "default"
    if isinstance(value, dict):
        parts = {"kind": kind, "namespace": namespace, **value}
        if not all(isinstance(parts.get(part), str) for part in ("kind", "name")):
            raise ValueFailure("an entity ref needs kind and name")
        return {part: str(parts[part]) for part in ("kind", "namespace", "name")}
    try:
        ref = parse_ref(value, default_kind=kind, default_namespace=namespace)
    except Invalid as error:
        raise ValueFailure(error.message) from error
    return {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name}


def _pick(call: Call) -> Any:
    if not isinstance(call.value, dict):
        return UNDEFINED
    return call.value.get(text(call.arg(0)), UNDEFINED)


@dataclass(frozen=True, slots=True)
class TemplateFilter:
    """A filter of the scaffolder's own, with its documentation for authors."""

    name: str
    run: Operation
    description: str
    schema: Schema
    examples: list[dict[str, str]] = field(default_factory=list)

    def document(self) -> JsonObject:
        return {
            "description": self.description,
            "schema": self.schema,
            "examples": self.examples,
        }


def _example(expression: str, value: str, result: str) -> dict[str, str]:
    return {
        "description": f"`{value}` becomes `{result}`",
        "example": (
            "- id: log\n  action: debug:log\n  input:\n"
            f"    message: ${{{{ {expression} }}}}"
        ),
        "notes": f"- **Input**: `{value}`\n- **Output**: `{result}`",
    }


def _object(
    *names: str, required: Sequence[str] = (), description: str = "", **more: Any
) -> JsonObject:
    schema: JsonObject = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in names},
        "additionalProperties": False,
        **more,
    }
    if required:
        schema["required"] = list(required)
    return {**schema, "description": description} if description else schema


_TEXT = {"type": "string", **_DRAFT}
_URL = {
    "type": "string",
    "description": "A repository URL as the repository picker writes it.",
    **_DRAFT,
}
_REF = _object(
    "kind",
    "namespace",
    "name",
    required=["kind", "namespace", "name"],
    description="The parts of the ref.",
)
_REF_CONTEXT = _object("defaultKind", "defaultNamespace")
_REF_INPUT = {
    "anyOf": [
        {"type": "string", "description": "An entity ref."},
        _object("kind", "namespace", "name", required=["name"]),
    ],
    **_DRAFT,
}


def _parse_repo_url() -> TemplateFilter:
    output = _object(
        "repo",
        "host",
        *_PARTS,
        required=["repo", "host"],
        description="The parts of the URL.",
        **_DRAFT,
    )
    example = _example(
        "parameters.repoUrl | parseRepoUrl",
        "github.com?owner=acme&repo=shop",
        '{"host":"github.com","owner":"acme","repo":"shop"}',
    )
    description = "The parts of a repository URL: host, owner, repo and so on."
    schema = {"input": _URL, "output": output}
    return TemplateFilter("parseRepoUrl", _repository, description, schema, [example])


def _parse_entity_ref() -> TemplateFilter:
    schema = {
        "input": _REF_INPUT,
        "arguments": [{"anyOf": [{"not": {}}, _REF_CONTEXT], **_DRAFT}],
        "output": {**_REF, **_DRAFT},
    }
    example = _example(
        "parameters.owner | parseEntityRef",
        "group:default/stage",
        '{"kind":"group","namespace":"default","name":"stage"}',
    )
    description = "The parts of an entity ref: kind, namespace and name."
    return TemplateFilter("parseEntityRef", _ref, description, schema, [example])


def _pick_filter() -> TemplateFilter:
    argument = {"type": "string", "description": "The member's name.", **_DRAFT}
    schema = {
        "input": _DRAFT,
        "arguments": [argument],
        "output": {"description": "The member.", **_DRAFT},
    }
    example = _example(
        "parameters.owner | parseEntityRef | pick('name')",
        "group:default/stage",
        "stage",
    )
    description = "One member of an object, by its name."
    return TemplateFilter("pick", _pick, description, schema, [example])


def _project_slug() -> TemplateFilter:
    example = _example(
        "parameters.repoUrl | projectSlug",
        "github.com?owner=acme&repo=shop",
        "acme/shop",
    )
    schema = {"input": _URL, "output": _TEXT}
    description = "`owner/repo` of a repository URL."
    return TemplateFilter("projectSlug", _slug, description, schema, [example])


def template_filters() -> list[TemplateFilter]:
    """The filters that every template has besides Nunjucks' own."""
    return [_parse_repo_url(), _parse_entity_ref(), _pick_filter(), _project_slug()]
