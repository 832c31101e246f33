"""What people push or send as a whole, made to be large to work off.

Templates, definitions, entities and documentation that are small to write. Nothing here
is a value that the product's code could know by name.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

DEEP = 20_000
GREEDY = "(x+x+)+y"
SLOW_PATTERNS = (GREEDY, "^(([a-z])+.)+[A-Z]([a-z])+$", "(.*)*=.*", "(a|aa)+$", "[")
LOG = {"id": "l", "name": "l", "action": "debug:log"}
EXPRESSIONS: Mapping[str, str] = {
    "repeat": "${{ 'x' * 999999999 }}",
    "range": "${{ range(99999999) | join }}",
    "power": "${{ 9 ** 9 ** 9 }}",
    "parentheses": "${{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
    "nested loops": "{% for a in range(9999) %}{% for b in range(9999) %}x",
    "replace": "${{ ('x' * 5000) | replace('', 'y' * 5000) }}",
    "pattern": "${{ parameters.a | replace(r/(x+x+)+y/, '') }}",
}


def billion(levels: int = 9) -> str:
    """A document whose aliases stand for ten times as much on every level."""
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, levels):
        again = ", ".join([f"*l{level - 1}"] * 10)
        lines.append(f"l{level}: &l{level} [{again}]")
    return "\n".join(lines)


def nested(depth: int = DEEP, opening: str = "[", closing: str = "]") -> str:
    return opening * depth + closing * depth


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def template(parameters: Any = None, steps: Any = None) -> dict[str, Any]:
    return {
        "apiVersion": "scaffolder.backstage.io/v1beta3",
        "kind": "Template",
        "metadata": {"name": "bomb"},
        "spec": {
            "type": "x",
            "owner": "booking",
            "parameters": parameters or [],
            "steps": steps or [{**LOG, "input": {"message": "x"}}],
        },
    }


def templates() -> Iterator[tuple[str, Any, Any]]:
    """Templates by name, with the values that set them off."""
    for name, properties, value in _forms():
        yield name, template(properties), {"a": value}
    anything = {"properties": {"a": {}}}
    for name, text in EXPRESSIONS.items():
        step = {**LOG, "input": {"message": text}}
        yield name, template(anything, [step]), {"a": "x" * 60}
    rounds = {
        **LOG,
        "each": "${{ parameters.a }}",
        "input": {"message": "${{ each.value }}"},
    }
    yield "many rounds", template(anything, [rounds]), {"a": list(range(20_000))}
    patterns = ["{a,b}" * 30, "**/" * 60 + "*", "+(a|+(b|+(c)))" * 10]
    globs = {**LOG, "action": "fs:delete", "input": {"files": patterns}}
    yield "globs", template(None, [globs]), {}
    steps = [{**globs, "id": f"s{n}"} for n in range(5000)]
    yield "many steps", template(None, steps), {}


def _forms() -> Iterator[tuple[str, Any, Any]]:
    """Forms by name, with the value of their field `a`."""
    for pattern in SLOW_PATTERNS:
        fields = {"a": {"type": "string", "pattern": pattern}}
        yield f"pattern {pattern[:12]}", {"properties": fields}, "x" * 60 + "!"
    cycle = {"definitions": {"b": {"$ref": "#/definitions/b"}}}
    ring = {**cycle, "properties": {"a": {"$ref": "#/definitions/b"}}}
    yield "reference to itself", ring, 1
    fan: dict[str, Any] = {"d0": {"type": "string"}}
    for n in range(1, 30):
        both = {"$ref": f"#/definitions/d{n - 1}"}
        fan[f"d{n}"] = {"allOf": [both, both], "anyOf": [both, both]}
    fanned = {"definitions": fan, "properties": {"a": {"$ref": "#/definitions/d29"}}}
    yield "fan of references", fanned, 1
    items = {"properties": {"a": {"type": "array", "uniqueItems": True}}}
    yield "unique items", items, [{"n": n, "m": [n]} for n in range(8000)]


def definitions() -> Iterator[tuple[str, str, str]]:
    """API definitions by name: type and text."""
    schemas: dict[str, Any] = {"S0": {"type": "object"}}
    for n in range(1, 25):
        before = {"$ref": f"#/components/schemas/S{n - 1}"}
        schemas[f"S{n}"] = {
            "allOf": [before, before],
            "properties": {"l": before, "r": before},
        }
    ring = {"$ref": "#/components/schemas/Ring"}
    schemas["Ring"] = {"properties": {"next": ring, "items": {"items": ring}}}
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/S24"}}}
    operation = {"responses": {"200": {"description": "x", "content": content}}}
    base = {"openapi": "3.0.0", "info": {"title": "x", "version": "1"}}
    few = {"/x": {"get": operation, "post": operation}}
    yield (
        "fan",
        "openapi",
        json.dumps({**base, "paths": few, "components": {"schemas": schemas}}),
    )
    many = {f"/p{n}/{{a}}": {"get": operation} for n in range(3000)}
    yield (
        "many paths",
        "openapi",
        json.dumps({**base, "paths": many, "components": {"schemas": schemas}}),
    )
    yield "aliases", "openapi", billion()
    yield "deep", "openapi", json.dumps(base)[:-1] + ', "paths": ' + nested(5000) + "}"
    channels = {f"c{n}": {"publish": {"message": {"payload": {}}}} for n in range(3000)}
    yield (
        "channels",
        "asyncapi",
        json.dumps({"asyncapi": "2.0.0", "channels": channels}),
    )
    fields = " ".join(f"f{n}(a: String = {nested(50)}): T{n % 50}" for n in range(2000))
    yield "fields", "graphql", "type Query { " + fields + " }\n" + '"""' * 9001
    yield "braces", "graphql", "type A " + "{ a: [" * 10_000
    yield "messages", "grpc", "message A { " * 5000 + "}" * 5000
    yield "comments", "grpc", "/*" * 100_000 + "// " * 50_000


def entities() -> Iterator[tuple[str, Any]]:
    """Entities by name that are to be checked, stored or shown."""
    plain = {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": "bomb"},
        "spec": {"type": "service", "lifecycle": "production", "owner": "booking"},
    }
    tree: Any = {}
    for _ in range(200):
        tree = {"a": tree}
    yield "deep", {**plain, "spec": {**plain["spec"], "x": tree}}  # type: ignore[dict-item]
    labels = {f"l{n}": "v" for n in range(20_000)}
    yield "labels", {**plain, "metadata": {"name": "bomb", "labels": labels}}
    relations = [f"component:default/c{n}" for n in range(20_000)]
    more = {**plain["spec"], "dependsOn": relations}  # type: ignore[dict-item]
    yield "relations", {**plain, "spec": more}
    links = [{"url": "https://x.example/" + "a" * 200} for _ in range(3000)]
    yield "links", {**plain, "metadata": {"name": "bomb", "links": links}}
    described = {"name": "bomb", "description": "[" * 20_000 + "*_`" * 5000}
    yield "marks", {**plain, "metadata": described}
    for name, kind, text in definitions():
        spec = {**plain["spec"], "type": kind, "definition": text}  # type: ignore[dict-item]
        yield f"definition {name}", {**plain, "kind": "API", "spec": spec}


def documentation() -> dict[str, str]:
    """A site of pages that take long to read, to lay out and to search."""
    return {
        "mkdocs.yml": json.dumps(
            {
                "site_name": "x" * 500,
                "nav": [{"Home": "index.md"}, {"Long": "long.md"}],
                "plugins": ["techdocs-core"],
            }
        ),
        "docs/index.md": "\n".join(
            (
                "# bombs",
                "[" * 3000 + "a",
                "*" * 3000 + "a" + "_" * 3000,
                "> " * 400 + "quoted",
                "<div>" * 2000,
                "- " * 300 + "item",
                "`" * 2999,
                "![" * 1000 + "](" * 1000,
                "| " * 500 + "\n" + "|-" * 500 + "\n" + "| a " * 500,
                "&" * 5000,
            )
        ),
        "docs/long.md": "# long\n\n" + ("ab" * 40 + " ") * 20_000,
    }
