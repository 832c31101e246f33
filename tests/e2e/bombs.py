"""Input that is small to write and large to work off, for every place that takes input.

Nothing here is a value that the product's code could know by name: each is one of a
kind (patterns, schemas, documents, trees, globs, stars, templates, filters, cursors,
definitions, headers), and the kinds are crossed with all operations.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

DEEP = 20_000
WIDE = 20_000
LONG_WORD = "w" * 30_000
GREEDY = "(x+x+)+y"
SLOW_PATTERNS = (GREEDY, "^(([a-z])+.)+[A-Z]([a-z])+$", "(.*)*=.*", "(a|aa)+$", "[")
#: Fits into a request line, which has its own bound.
LINE = 6_000


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


#: For a place in a path or a query, by what it imitates.
TEXTS: Mapping[str, str] = {
    "stars": "*a" * 40 + "b",
    "stars in words": " ".join(f"*{c}*a*b*c*" for c in "defgh"),
    "many words": " ".join(f"w{n}" for n in range(400)),
    "long": LONG_WORD[:LINE],
    "pattern": GREEDY + "x" * 60,
    "braces": "{a,b}" * 200,
    "glob": "**/" * 300 + "x",
    "slashes": "a/" * 1500,
    "dots": "../" * 1500,
    "filter": ",".join(f"metadata.labels.l{n}=v{n}" for n in range(200)),
    "deep JSON": nested(2500),
    "deep object": '{"a":' * 1000 + "1" + "}" * 1000,
    "cursor": encoded(nested(2000)),
    "cursor object": encoded('{"orderFields":' + nested(1500) + "}"),
    "page": encoded("9" * 3000),
    "number": "9" * 4999,
    "negative": "-1",
    "float": "1e308",
    "template": "${{ " + "(" * 700 + ")" * 700 + " }}",
    "range": "${{ range(999999999) | list }}",
    "yaml": billion(6),
    "letters": "é" * 900,
    "combining": "a" + "\u0301" * 900,
    "ligatures": "\ufdfa" * 300,
    "comma": "," * 4000,
    "brackets": "filters[" * 600,
}

#: For a body whose shape the operation alone knows.
BODIES: Mapping[str, bytes] = {
    "deep list": nested(200_000).encode(),
    "deep object": b'{"a":' * 100_000,
    "closed deep object": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "wide object": json.dumps({f"k{n}": n for n in range(WIDE)}).encode(),
    "wide list": json.dumps(list(range(200_000))).encode(),
    "large number": b'{"limit":' + b"9" * 100_000 + b"}",
    "long text": json.dumps({"a": "x" * 2_000_000}).encode(),
    "nine megabytes": b" " * 9_000_000 + b"{}",
    "no JSON": b"\xff\xfe" * 50_000,
}

#: Header lines of a request that asks for nothing else.
HEADERS: Mapping[str, Mapping[str, str]] = {
    "accept": {"accept": ",".join(["a/b;q=0.1"] * 3000)},
    "cookie": {"cookie": ";".join(f"c{n}=v" for n in range(4000))},
    "quoted cookie": {"cookie": 'a="' + "\\" * 20_000},
    "forwarded": {"x-forwarded-for": ",".join(["1.2.3.4"] * 4000)},
    "etags": {"if-none-match": ",".join(['W/"x"'] * 5000)},
    "language": {"accept-language": ",".join(["en;q=0.5"] * 4000)},
    "range": {"range": "bytes=" + ",".join(["0-1"] * 5000)},
    "trace": {"traceparent": "0" * 30_000, "x-request-id": "a" * 20_000},
    "token": {"authorization": "Bearer " + "a." * 20_000},
    "event": {"last-event-id": "9" * 20_000},
}


@dataclass(frozen=True, slots=True)
class Bomb:
    """One request; `what` names the operation and the kind."""

    what: str
    method: str
    path: str
    params: Mapping[str, str] | None = None
    headers: Mapping[str, str] | None = None
    body: bytes | None = None


def of_operations(document: Mapping[str, Any]) -> Iterator[Bomb]:
    """Every operation of an OpenAPI document, each of its inputs with each kind."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if not isinstance(operation, Mapping) or method == "parameters":
                continue
            yield from _of_operation(method.upper(), path, operation)


def _of_operation(
    method: str, path: str, operation: Mapping[str, Any]
) -> Iterator[Bomb]:
    name = f"{method} {path}"
    parameters = operation.get("parameters", ())
    plain = _filled(path, {})
    for parameter in parameters:
        key, place = parameter.get("name", ""), parameter.get("in")
        for kind, text in TEXTS.items():
            what = f"{name} {key}: {kind}"
            if place == "query":
                yield Bomb(what, method, plain, params={key: text})
            elif place == "path":
                yield Bomb(what, method, _filled(path, {key: text}))
    for kind, headers in HEADERS.items() if method == "GET" else ():
        yield Bomb(f"{name} header: {kind}", method, plain, headers=headers)
    if operation.get("requestBody") or method in ("POST", "PUT"):
        for kind, body in BODIES.items():
            yield Bomb(f"{name} body: {kind}", method, plain, body=body)


def _filled(path: str, given: Mapping[str, str]) -> str:
    """A path with its places filled: by the given text, or by a harmless one."""
    parts = []
    for part in path.split("/"):
        if part.startswith("{"):
            name = part.strip("{}").partition(":")[0]
            parts.append(_quoted(given.get(name, "x")))
        else:
            parts.append(part)
    return "/".join(parts)


def _quoted(text: str) -> str:
    safe = [c if c.isascii() and c.isalnum() else _percent(c) for c in text[:LINE]]
    return "".join(safe)[:LINE]


def _percent(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode())


def of_pages(routes: Iterator[tuple[str, str]]) -> Iterator[Bomb]:
    """Every page of the portal, by method and path, with texts in path and query."""
    for method, path in routes:
        if method != "GET":
            continue
        plain, name = _filled(path, {}), f"page {path}"
        places = [p.strip("{}").partition(":")[0] for p in path.split("/") if "{" in p]
        for kind, text in TEXTS.items():
            for place in places:
                yield Bomb(
                    f"{name} {place}: {kind}", "GET", _filled(path, {place: text})
                )
            query = dict.fromkeys(
                ("text", "query", "root", "kind", "next"), text[:1000]
            )
            yield Bomb(f"{name}: {kind}", "GET", plain, params=query)


def of_meaning() -> Iterator[Bomb]:
    """Bodies that are well-formed, and mean more work than they look like."""
    for name, query in _predicates():
        body = json.dumps({"query": query, "limit": 1}).encode()
        for path in ("entities/by-query", "entity-facets", "locations/by-query"):
            yield Bomb(f"{path}: {name}", "POST", f"/api/catalog/{path}", body=body)
    facets = json.dumps({"facets": [f"metadata.annotations.a{n}" for n in range(2000)]})
    yield Bomb(
        "facets: many", "POST", "/api/catalog/entity-facets", body=facets.encode()
    )
    items = [{"id": str(n), "permission": PERMISSION} for n in range(20_000)]
    yield Bomb(
        "authorize: many",
        "POST",
        "/api/permission/authorize",
        body=json.dumps({"items": items}).encode(),
    )
    refs = [f"component:default/c{n}" for n in range(100_000)]
    yield Bomb(
        "by-refs: many",
        "POST",
        "/api/catalog/entities/by-refs",
        body=json.dumps({"entityRefs": refs}).encode(),
    )
    for name, template, values in templates():
        body = json.dumps(_dry_run(template, values)).encode()
        yield Bomb(f"dry run: {name}", "POST", "/api/scaffolder/v2/dry-run", body=body)
    for name, entity in entities():
        body = json.dumps({"entity": entity, "location": "url:https://x.example/a"})
        yield Bomb(
            f"validate: {name}",
            "POST",
            "/api/catalog/validate-entity",
            body=body.encode(),
        )


PERMISSION = {
    "type": "resource",
    "name": "catalog.entity.read",
    "resourceType": "catalog-entity",
    "attributes": {"action": "read"},
}


def _predicates() -> Iterator[tuple[str, Any]]:
    deep: Any = {"kind": "component"}
    for _ in range(400):
        deep = {"$not": deep}
    yield "deep", deep
    yield "wide", {"$any": [{"metadata.name": f"n{n}"} for n in range(20_000)]}
    yield "in", {"metadata.name": {"$in": [f"n{n}" for n in range(100_000)]}}
    prefixes = [
        {"metadata.name": {"$hasPrefix": chr(97 + n % 26)}} for n in range(5000)
    ]
    yield "prefixes", {"$any": prefixes}
    yield (
        "product",
        {
            "$all": [
                {"$any": [{f"metadata.labels.l{m}": str(n)} for n in range(100)]}
                for m in range(100)
            ]
        },
    )


def _dry_run(template: Any, values: Any) -> dict[str, Any]:
    return {
        "template": template,
        "values": values,
        "secrets": {},
        "directoryContents": [
            {"path": "skeleton/a.txt", "base64Content": encoded("${{ values.a }}")}
        ],
    }


def template(parameters: Any = None, steps: Any = None) -> dict[str, Any]:
    step = {"id": "l", "name": "l", "action": "debug:log", "input": {"message": "x"}}
    return {
        "apiVersion": "scaffolder.backstage.io/v1beta3",
        "kind": "Template",
        "metadata": {"name": "bomb"},
        "spec": {
            "type": "x",
            "owner": "booking",
            "parameters": parameters or [],
            "steps": steps or [step],
        },
    }


def templates() -> Iterator[tuple[str, Any, Any]]:
    """Templates by name, with the values that set them off."""
    for pattern in SLOW_PATTERNS:
        fields = {"a": {"type": "string", "pattern": pattern}}
        yield (
            f"pattern {pattern[:12]}",
            template({"properties": fields}),
            {"a": "x" * 60 + "!"},
        )
    cycle = {"definitions": {"b": {"$ref": "#/definitions/b"}}}
    ring = {**cycle, "properties": {"a": {"$ref": "#/definitions/b"}}}
    yield "reference to itself", template(ring), {"a": 1}
    fan: dict[str, Any] = {"d0": {"type": "string"}}
    for n in range(1, 30):
        both = {"$ref": f"#/definitions/d{n - 1}"}
        fan[f"d{n}"] = {"allOf": [both, both], "anyOf": [both, both]}
    fanned = {"definitions": fan, "properties": {"a": {"$ref": "#/definitions/d29"}}}
    yield "fan of references", template(fanned), {"a": 1}
    items = {"properties": {"a": {"type": "array", "uniqueItems": True}}}
    rows = [{"n": n, "m": [n]} for n in range(8000)]
    yield "unique items", template(items), {"a": rows}
    for name, text in (
        ("repeat", "${{ 'x' * 999999999 }}"),
        ("range", "${{ range(99999999) | join }}"),
        ("power", "${{ 9 ** 9 ** 9 }}"),
        ("parentheses", "${{ " + "(" * 3000 + "1" + ")" * 3000 + " }}"),
        ("nested loops", "{% for a in range(9999) %}{% for b in range(9999) %}x"),
        ("replace", "${{ ('x' * 5000) | replace('', 'y' * 5000) }}"),
        ("pattern", "${{ parameters.a | replace(r/(x+x+)+y/, '') }}"),
    ):
        step = {
            "id": "l",
            "name": "l",
            "action": "debug:log",
            "input": {"message": text},
        }
        yield name, template({"properties": {"a": {}}}, [step]), {"a": "x" * 60}
    rounds = {
        "id": "e",
        "name": "e",
        "action": "debug:log",
        "each": "${{ parameters.a }}",
        "input": {"message": "${{ each.value }}"},
    }
    yield (
        "many rounds",
        template({"properties": {"a": {}}}, [rounds]),
        {"a": list(range(20_000))},
    )
    globs = {
        "id": "d",
        "name": "d",
        "action": "fs:delete",
        "input": {"files": ["{a,b}" * 30, "**/" * 60 + "*", "+(a|+(b|+(c)))" * 10]},
    }
    yield "globs", template(None, [globs]), {}
    steps = [{**globs, "id": f"s{n}"} for n in range(5000)]
    yield "many steps", template(None, steps), {}


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
