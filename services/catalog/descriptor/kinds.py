"""Kinds of entities as data: a JSON Schema of the spec and a table of relations each.

A kind is one file. The nine built-in ones (`builtin_kinds/`) follow Backstage's
(catalog-model kinds, scaffolder-common's Template); the files of an organisation's own
kinds (`catalog.kinds`) have the same form.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from services.catalog.descriptor import fields
from services.catalog.descriptor.spec_schema import SpecSchema
from shared.contracts.entity import Entity
from shared.contracts.errors import Invalid
from shared.contracts.ref import EntityRef, parse_ref
from shared.guards.regular_files import read_regular_file
from shared.guards.yaml_text import load_yaml

#: So many problems of a document, or of a file, are named in one error: a page can
#: show them all.
PROBLEMS_NAMED = 20
BUILT_IN = Path(__file__).with_name("builtin_kinds")


def _of(rule: fields.Format) -> AfterValidator:
    """Refuses a text that breaks a rule of the envelope's fields."""

    def check(text: str) -> str:
        if problem := rule.problem(text):
            raise ValueError(problem)
        return text

    return AfterValidator(check)


KindName = Annotated[str, _of(fields.KIND)]
ApiVersion = Annotated[str, _of(fields.API_VERSION)]
#: Of the same form as a kind, as Backstage's relations are.
RelationType = Annotated[str, _of(fields.KIND)]


class RelationRule(BaseModel):
    """What a field's refs mean; `kind` None: each ref must name its kind itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: RelationType
    inverse: RelationType
    kind: KindName | None = None

    def parse(self, text: str, namespace: str) -> EntityRef:
        """The ref that a text means in an entity of a namespace.

        Raises:
            Invalid: if it cannot be understood.
        """
        return parse_ref(text, default_kind=self.kind, default_namespace=namespace)


class KindDescription(BaseModel):
    """The content of a kind's file: its apiVersions, and the fields of its spec."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: KindName
    versions: frozenset[ApiVersion] = Field(min_length=1)
    spec: Mapping[str, Any] = Field(alias="schema")
    relations: Mapping[str, RelationRule] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind that entities may be of; `digest` is equal while its file is."""

    name: str
    digest: str
    versions: frozenset[str]
    spec: SpecSchema
    relations: Mapping[str, RelationRule]


Kinds = Mapping[str, Kind]


def read_kind(text: bytes | str, label: str) -> Kind:
    """The kind that a file describes.

    Raises:
        Invalid: naming the field, and the rule it breaks.
    """
    content = load_yaml(text, label=label)
    try:
        described = KindDescription.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "document"
        rule = first["msg"].removeprefix("Value error, ")
        raise Invalid(f"{label}: {field}: {rule}") from error
    spec = SpecSchema(described.spec, f"{label}: schema")
    digest = hashlib.blake2b(described.model_dump_json().encode(), digest_size=8)
    return Kind(
        described.kind,
        digest.hexdigest(),
        described.versions,
        spec,
        described.relations,
    )


@cache
def built_in_kinds() -> Kinds:
    """The nine kinds by name, read once."""
    return _read_files(sorted(BUILT_IN.glob("*.yaml")), {})


def read_kinds(paths: Iterable[Path]) -> Kinds:
    """The built-in kinds and those of files; a folder stands for its `*.yaml`.

    Raises:
        Invalid: naming the file, the field, and the rule it breaks.
    """
    files = [
        file
        for path in paths
        for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])
    ]
    return _read_files(files, built_in_kinds())


def _read_files(files: Iterable[Path], kinds: Kinds) -> Kinds:
    kinds = dict(kinds)
    labels = {name.lower(): "a built-in kind" for name in kinds}
    for file in files:
        try:
            kind = read_kind(read_regular_file(file), file.name)
        except OSError as error:
            raise Invalid(f"{file}: cannot be read: {error.strerror}") from error
        # Refs do not tell upper from lower case, so neither may kinds.
        if label := labels.get(kind.name.lower()):
            raise Invalid(f"{file.name}: kind: {kind.name} is {label} already")
        labels[kind.name.lower()] = f"that of {file.name}"
        kinds[kind.name] = kind
    return kinds


def problems(entity: Entity, kinds: Kinds) -> list[str]:
    """What breaks the rules of the entity's kind, each as `field: rule`."""
    kind, version = kinds.get(entity.kind), entity.raw["apiVersion"]
    if kind is None or version not in kind.versions:
        named = f"{entity.kind!r} with the apiVersion {version!r}"
        return [f"kind: nothing here knows {named}{_advice(entity, kinds)}"]
    if entity.raw.get("spec") is None:
        return ["spec: is required"]
    rule_problems = kind.spec.problems(entity.spec)
    paths = {problem.partition(": ")[0] for problem in rule_problems}
    rule_problems += [
        f"{path}: {problem}"
        for path, problem in _reference_problems(entity, kind)
        if path not in paths
    ]
    return limited(rule_problems)


def limited(problems: Sequence[str]) -> list[str]:
    """Of very many problems the first, and how many more there are."""
    if len(problems) <= PROBLEMS_NAMED:
        return list(problems)
    return [
        *problems[:PROBLEMS_NAMED],
        f"and {len(problems) - PROBLEMS_NAMED:,} more",
    ]


def references(entity: Entity, kind: Kind) -> Iterator[tuple[str, RelationRule, Any]]:
    """The refs in a spec, each with the path of its field and the field's rule.

    They come as they are written: what is none is for `problems` to name.
    """
    for name, rule in kind.relations.items():
        value = entity.spec.get(name)
        if isinstance(value, list):
            for number, text in enumerate(value):
                yield f"spec.{name}.{number}", rule, text
        elif value is not None:
            yield f"spec.{name}", rule, value


def _reference_problems(entity: Entity, kind: Kind) -> Iterator[tuple[str, str]]:
    """The path of each ref that cannot be understood, and why."""
    namespace = entity.namespace
    for path, rule, text in references(entity, kind):
        if not isinstance(text, str):
            yield path, fields.no_string(text)
            continue
        try:
            rule.parse(text, namespace)
        except Invalid as error:
            yield path, error.message


def _advice(entity: Entity, kinds: Kinds) -> str:
    """What an unknown kind or version may be meant for, with a mark before it."""
    similar = {name.lower(): kind for name, kind in kinds.items()}
    kind = similar.get(entity.kind.lower())
    if kind is None:
        return ""
    if kind.name != entity.kind:
        return f"; the kind is written {kind.name}"
    versions = " or ".join(sorted(kind.versions))
    if kind.name == "Template":
        return f"; a Template of {versions} has other parameters, steps and expressions"
    return f"; {kind.name} has {versions}"


def in_order(entity: Entity, kind: Kind) -> Entity:
    """A valid entity with its lists of refs sorted: their order has no meaning."""
    lists = {
        name: sorted(refs)
        for name in kind.relations
        if isinstance(refs := entity.spec.get(name), list)
    }
    return entity.with_spec(**lists)
