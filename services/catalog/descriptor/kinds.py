"""The nine built-in kinds: which fields their specs have, and what those relate to.

Data first: a kind is a table of fields; the checks below read the tables. The rules are
Backstage's (catalog-model kinds, scaffolder-common's Template).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.catalog.descriptor.fields import no_string
from shared.contracts.entity import Entity

Check = Callable[[Any, str], Iterator[str]]
CATALOG_VERSIONS = frozenset({"backstage.io/v1alpha1", "backstage.io/v1beta1"})
TEMPLATE_VERSIONS = frozenset({"scaffolder.backstage.io/v1beta3"})


@dataclass(frozen=True, slots=True)
class Relates:
    """What a field's refs mean; `kind` None: each ref must name its kind itself."""

    type: str
    inverse: str
    kind: str | None


@dataclass(frozen=True, slots=True)
class SpecField:
    """One field of a spec."""

    check: Check
    required: bool = False
    relates: Relates | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind: its apiVersions and the fields of its spec."""

    fields: Mapping[str, SpecField]
    versions: frozenset[str] = CATALOG_VERSIONS
    by_type: Mapping[str, Mapping[str, SpecField]] = field(default_factory=dict)

    def fields_of(self, spec: Mapping[str, Any]) -> Mapping[str, SpecField]:
        """The fields that count for this spec: some types have their own."""
        return self.by_type.get(str(spec.get("type")), self.fields)


def text(value: Any, where: str) -> Iterator[str]:
    """A string that is not empty."""
    if not isinstance(value, str):
        yield f"{where}: {no_string(value)}"
    elif not value:
        yield f"{where}: must not be empty"


def texts(value: Any, where: str) -> Iterator[str]:
    """A list of such strings."""
    if not isinstance(value, list):
        yield f"{where}: must be a list"
        return
    for number, item in enumerate(value):
        yield from text(item, f"{where}.{number}")


def one_of(*words: str) -> Check:
    """One of a few words."""

    def check(value: Any, where: str) -> Iterator[str]:
        if value not in words:
            yield f"{where}: must be one of {', '.join(words)}"

    return check


def table(**held: SpecField) -> Check:
    """An object with the given fields, and any others."""

    def check(value: Any, where: str) -> Iterator[str]:
        if not isinstance(value, Mapping):
            yield f"{where}: must be an object"
            return
        yield from spec_problems(held, value, where)

    return check


def rows(item: Check, *, least: int = 0) -> Check:
    """A list of such things."""

    def check(value: Any, where: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{where}: must be a list"
        elif len(value) < least:
            yield f"{where}: must have {least} at least"
        else:
            for number, row in enumerate(value):
                yield from item(row, f"{where}.{number}")

    return check


def either(*checks: Check) -> Check:
    """What one of the checks accepts; the first one's words if none does."""

    def check(value: Any, where: str) -> Iterator[str]:
        found = [list(option(value, where)) for option in checks]
        if all(found):
            yield from found[0]

    return check


def flag(value: Any, where: str) -> Iterator[str]:
    """True or false."""
    if not isinstance(value, bool):
        yield f"{where}: must be true or false"


def spec_problems(
    held: Mapping[str, SpecField], value: Mapping[str, Any], where: str
) -> Iterator[str]:
    """What breaks the rules of `held` in the object `value`."""
    for name, rule in held.items():
        if name not in value:
            if rule.required:
                yield f"{where}.{name}: is required"
        else:
            yield from rule.check(value[name], f"{where}.{name}")


OWNED = Relates("ownedBy", "ownerOf", "Group")
OWNER = SpecField(text, required=True, relates=OWNED)
SYSTEM = SpecField(text, relates=Relates("partOf", "hasPart", "System"))
TYPE = SpecField(text, required=True)
ANY_TYPE = SpecField(text)
DEPENDS_ON = SpecField(texts, relates=Relates("dependsOn", "dependencyOf", None))
DEPENDENCY_OF = SpecField(texts, relates=Relates("dependencyOf", "dependsOn", None))
PROFILE = SpecField(
    table(displayName=SpecField(text), email=SpecField(text), picture=SpecField(text))
)
_API = {
    "type": TYPE,
    "lifecycle": SpecField(text, required=True),
    "owner": OWNER,
    "definition": SpecField(text, required=True),
    "system": SYSTEM,
}
_REMOTE = table(type=SpecField(text, required=True), url=SpecField(text, required=True))
_ANY_OBJECT = table()
_STEP = table(
    id=SpecField(text),
    name=SpecField(text),
    action=SpecField(text, required=True),
    input=SpecField(_ANY_OBJECT),
    **{"if": SpecField(either(text, flag))},
)

KINDS: Mapping[str, Kind] = {
    "Component": Kind(
        {
            "type": TYPE,
            "lifecycle": SpecField(text, required=True),
            "owner": OWNER,
            "system": SYSTEM,
            "subcomponentOf": SpecField(
                text, relates=Relates("partOf", "hasPart", "Component")
            ),
            "providesApis": SpecField(
                texts, relates=Relates("providesApi", "apiProvidedBy", "API")
            ),
            "consumesApis": SpecField(
                texts, relates=Relates("consumesApi", "apiConsumedBy", "API")
            ),
            "dependsOn": DEPENDS_ON,
            "dependencyOf": DEPENDENCY_OF,
        }
    ),
    "API": Kind(
        _API,
        by_type={
            "mcp-server": {
                **{name: rule for name, rule in _API.items() if name != "definition"},
                "remotes": SpecField(rows(_REMOTE, least=1), required=True),
            }
        },
    ),
    "Resource": Kind(
        {
            "type": TYPE,
            "owner": OWNER,
            "system": SYSTEM,
            "dependsOn": DEPENDS_ON,
            "dependencyOf": DEPENDENCY_OF,
        }
    ),
    "System": Kind(
        {
            "owner": OWNER,
            "domain": SpecField(text, relates=Relates("partOf", "hasPart", "Domain")),
            "type": ANY_TYPE,
        }
    ),
    "Domain": Kind(
        {
            "owner": OWNER,
            "subdomainOf": SpecField(
                text, relates=Relates("partOf", "hasPart", "Domain")
            ),
            "type": ANY_TYPE,
        }
    ),
    "Group": Kind(
        {
            "type": TYPE,
            "profile": PROFILE,
            "parent": SpecField(text, relates=Relates("childOf", "parentOf", "Group")),
            "children": SpecField(
                texts, required=True, relates=Relates("parentOf", "childOf", "Group")
            ),
            "members": SpecField(
                texts, relates=Relates("hasMember", "memberOf", "User")
            ),
        }
    ),
    "User": Kind(
        {
            "profile": PROFILE,
            "memberOf": SpecField(
                texts, required=True, relates=Relates("memberOf", "hasMember", "Group")
            ),
        }
    ),
    "Location": Kind(
        {
            "type": ANY_TYPE,
            "target": SpecField(text),
            "targets": SpecField(texts),
            "presence": SpecField(one_of("required", "optional")),
        }
    ),
    "Template": Kind(
        {
            "type": TYPE,
            "owner": SpecField(text, relates=OWNED),
            "parameters": SpecField(either(_ANY_OBJECT, rows(_ANY_OBJECT))),
            "steps": SpecField(rows(_STEP), required=True),
            "output": SpecField(_ANY_OBJECT),
        },
        versions=TEMPLATE_VERSIONS,
    ),
}


def problems(entity: Entity) -> list[str]:
    """What breaks the rules of the entity's kind, each as `field: rule`."""
    kind, version = KINDS.get(entity.kind), entity.raw["apiVersion"]
    if kind is None or version not in kind.versions:
        named = f"{entity.kind!r} with the apiVersion {version!r}"
        return [f"kind: nothing here knows {named}"]
    spec = entity.raw.get("spec")
    if spec is None:
        return ["spec: is required"]
    return list(spec_problems(kind.fields_of(spec), spec, "spec"))


def in_order(entity: Entity) -> Entity:
    """A valid entity with its lists of refs sorted: their order says nothing."""
    spec = entity.spec
    lists = {
        name: sorted(spec[name])
        for name, rule in KINDS[entity.kind].fields_of(spec).items()
        if rule.relates is not None and isinstance(spec.get(name), list)
    }
    return entity.with_spec(**lists)
