"""The envelope of every entity: apiVersion, kind, metadata, spec.

Rules: the schemas `EntityEnvelope`, `Entity` and `EntityMeta` and the policy
FieldFormatEntityPolicy of Backstage's catalog-model. Errors name all problems, not
only the first.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from services.catalog.descriptor import fields
from services.catalog.model import EntityJson
from shared.contracts.annotations import PUBLIC, RESTRICTED, VISIBILITY
from shared.contracts.entity import Entity, mapping_of, text_of
from shared.contracts.errors import Invalid
from shared.contracts.ref import DEFAULT_NAMESPACE, EntityRef

ROOT_FIELDS = frozenset({"apiVersion", "kind", "metadata", "spec"})
MAX_PROBLEMS = 10
_MERGE = "<<"
VISIBILITIES = (PUBLIC, RESTRICTED)


def identify(document: Any) -> EntityRef:
    """The ref of a document that is meant to be an entity.

    Raises:
        Invalid: if it is no object, or lacks what a ref needs.
    """
    if not isinstance(document, Mapping):
        type_name = fields.named(document)
        raise Invalid(f"document: must be an object at its root, found {type_name}")
    for name in ("apiVersion", "kind"):
        _require(document.get(name), name)
    metadata = document.get("metadata")
    if not isinstance(metadata, Mapping):
        raise Invalid("metadata: must be an object")
    name = _require(metadata.get("name"), "metadata.name")
    namespace = metadata.get("namespace")
    if namespace is not None:
        _require(namespace, "metadata.namespace")
    return EntityRef(document["kind"], namespace or DEFAULT_NAMESPACE, name)


def _require(value: Any, path: str) -> str:
    if value is None:
        raise Invalid(f"{path}: is required")
    if not isinstance(value, str):
        raise Invalid(f"{path}: {fields.no_string(value)}")
    if not value:
        raise Invalid(f"{path}: must not be empty")
    return value


def complete(document: EntityJson) -> Entity:
    """A copy with the default namespace, without what counts as absent."""
    metadata = {"namespace": DEFAULT_NAMESPACE, **document["metadata"]}
    if metadata["namespace"] is None:
        metadata["namespace"] = DEFAULT_NAMESPACE
    if metadata.get("annotations", ()) is None:
        del metadata["annotations"]
    return Entity({**document, "metadata": metadata})


def problems(entity: Entity) -> list[str]:
    """What breaks the envelope's rules, each as `field: rule`."""
    raw = entity.raw
    problems = [f"{name}: unknown field" for name in raw.keys() - ROOT_FIELDS]
    problems += _format_problems("apiVersion", fields.API_VERSION, raw["apiVersion"])
    problems += _format_problems("kind", fields.KIND, raw["kind"])
    if "spec" in raw and not isinstance(raw["spec"], Mapping):
        problems.append("spec: must be an object")
    problems.extend(_metadata_problems(entity.metadata))
    return sorted(problems)[:MAX_PROBLEMS]


def _format_problems(path: str, rule: fields.Format, value: Any) -> list[str]:
    problem = rule.problem(value)
    return [f"{path}: {problem}"] if problem else []


def _metadata_problems(metadata: Mapping[str, Any]) -> Iterator[str]:
    yield from _format_problems("metadata.name", fields.NAME, metadata["name"])
    yield from _format_problems(
        "metadata.namespace", fields.NAMESPACE, metadata["namespace"]
    )
    for name in ("title", "description", "uid", "etag"):
        if name in metadata:
            value = metadata[name]
            if not isinstance(value, str):
                yield f"metadata.{name}: {fields.no_string(value)}"
            elif not value and name != "description":
                yield f"metadata.{name}: must not be empty"
    yield from _pair_problems(metadata, "labels", fields.LABEL_VALUE)
    yield from _pair_problems(metadata, "annotations", None)
    yield from _visibility_problems(metadata)
    yield from _list_problems(metadata, "tags", _tag_problems)
    yield from _list_problems(metadata, "links", _link_problems)


def _pair_problems(
    metadata: Mapping[str, Any], name: str, rule: fields.Format | None
) -> Iterator[str]:
    pairs = metadata.get(name, {})
    if not isinstance(pairs, Mapping):
        yield f"metadata.{name}: must be an object"
        return
    for key, value in pairs.items():
        path = f"metadata.{name}.{key}"
        if key == _MERGE and isinstance(value, Mapping | list):
            yield f"{path}: YAML's merges are not read here: write the keys out"
            continue
        if not isinstance(value, str):
            yield f"{path}: {fields.no_string(value)}"
            continue
        yield from _format_problems(path, fields.KEY, key)
        if rule is not None:
            yield from _format_problems(path, rule, value)


def _visibility_problems(metadata: Mapping[str, Any]) -> Iterator[str]:
    """A value that only looks like "restricted" would leave an entity open to all."""
    annotations, labels = metadata.get("annotations"), metadata.get("labels")
    for key, value in mapping_of(annotations).items():
        is_visibility = isinstance(key, str) and key.lower() == VISIBILITY
        if is_visibility and text_of(value).lower() not in VISIBILITIES:
            yield (
                f"metadata.annotations.{key}: must be {' or '.join(VISIBILITIES)}, "
                f"not {text_of(value)[:40]!r}"
            )
    for key in mapping_of(labels):
        if isinstance(key, str) and key.lower() == VISIBILITY:
            yield f"metadata.labels.{key}: must be an annotation, not a label"


def _list_problems(
    metadata: Mapping[str, Any],
    name: str,
    item_problems: Callable[[str, Any], Iterator[str]],
) -> Iterator[str]:
    items = metadata.get(name, [])
    if not isinstance(items, list):
        yield f"metadata.{name}: must be a list"
        return
    for number, item in enumerate(items):
        yield from item_problems(f"metadata.{name}.{number}", item)


def _tag_problems(path: str, tag: Any) -> Iterator[str]:
    if not isinstance(tag, str):
        yield f"{path}: {fields.no_string(tag)}"
    else:
        yield from _format_problems(path, fields.TAG, tag)


def _link_problems(path: str, link: Any) -> Iterator[str]:
    if not isinstance(link, Mapping):
        yield f"{path}: must be an object"
        return
    if link.get("url") is None:
        yield f"{path}.url: is required"
    else:
        yield from _format_problems(f"{path}.url", fields.URL, link["url"])
    for name in ("title", "icon", "type"):
        value = link.get(name)
        if name in link and not (isinstance(value, str) and value.strip()):
            yield f"{path}.{name}: must be a string that is not blank"
