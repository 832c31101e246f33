"""Input that is small to write and large to work off, for every place that takes input.

Nothing here is a value that the product's code could know by name: each is one of a
kind (patterns, schemas, documents, trees, globs, stars, templates, filters, cursors,
definitions, headers), and the kinds are crossed with all operations.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.e2e.bomb_contents import (
    GREEDY,
    billion,
    encoded,
    entities,
    nested,
    templates,
)

WIDE = 20_000
LONG_WORD = "w" * 30_000
#: Fits into a request line, which has its own bound.
LINE = 6_000


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
    """One request; `description` names the operation and the kind."""

    description: str
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
            description = f"{name} {key}: {kind}"
            if place == "query":
                yield Bomb(description, method, plain, params={key: text})
            elif place == "path":
                yield Bomb(description, method, _filled(path, {key: text}))
    for kind, headers in HEADERS.items() if method == "GET" else ():
        yield Bomb(f"{name} header: {kind}", method, plain, headers=headers)
    if operation.get("requestBody") or method in ("POST", "PUT"):
        for kind, body in BODIES.items():
            yield Bomb(f"{name} body: {kind}", method, plain, body=body)


def _filled(path: str, values: Mapping[str, str]) -> str:
    """A path with its places filled: by the given text, or by a harmless one."""
    parts = []
    for part in path.split("/"):
        if part.startswith("{"):
            name = part.strip("{}").partition(":")[0]
            parts.append(_quoted(values.get(name, "x")))
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
