"""Builds entities and conditions with defaults; tests name only relevant fields."""

from typing import Any

Entity = dict[str, Any]
#: What Git has in place of a file that is stored in Git LFS.
LFS_POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
    b"size 12345\n"
)


def entity(
    kind: str, name: str, spec: dict[str, Any], metadata: dict[str, Any] | None = None
) -> Entity:
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "default", **(metadata or {})},
        "spec": spec,
    }


def component(name: str = "web", metadata: Any = None, **spec: Any) -> Entity:
    fields = {"type": "service", "lifecycle": "production", "owner": "team-a", **spec}
    return entity("Component", name, fields, metadata)


def api(name: str = "orders", metadata: Any = None, **spec: Any) -> Entity:
    fields = {
        "type": "openapi",
        "lifecycle": "production",
        "owner": "team-a",
        "definition": "openapi: 3.1.0",
        **spec,
    }
    return entity("API", name, fields, metadata)


def group(name: str = "team-a", metadata: Any = None, **spec: Any) -> Entity:
    return entity("Group", name, {"type": "team", "children": [], **spec}, metadata)


def user(name: str = "ann", metadata: Any = None, **spec: Any) -> Entity:
    return entity("User", name, {"memberOf": ["team-a"], **spec}, metadata)


def system(name: str = "shop", metadata: Any = None, **spec: Any) -> Entity:
    return entity("System", name, {"owner": "team-a", **spec}, metadata)


def template(name: str = "service", metadata: Any = None, **spec: Any) -> Entity:
    steps = [{"id": "say", "action": "debug:log", "input": {"message": "hello"}}]
    fields = {"type": "service", "owner": "team-a", "steps": steps, **spec}
    template_entity = entity("Template", name, fields, metadata)
    return {**template_entity, "apiVersion": "scaffolder.backstage.io/v1beta3"}


def open_or_owned(*claims: str) -> dict[str, Any]:
    """The default policy's conditions: all entities but those restricted to others."""
    params = {"annotation": "callboard.dev/visibility", "value": "restricted"}
    return {
        "anyOf": [
            {"not": {"rule": "HAS_ANNOTATION", "params": params}},
            {"rule": "IS_ENTITY_OWNER", "params": {"claims": list(claims)}},
        ]
    }
