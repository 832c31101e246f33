"""OpenAPI 3 and Swagger 2: operations by tag, and the schemas they speak of."""

from collections.abc import Iterator, Mapping
from typing import Any

from services.gateway.portal.definitions.documents import follow, load
from services.gateway.portal.definitions.model import (
    Definition,
    Entry,
    Group,
    Part,
    Row,
    Unreadable,
    anchor,
    mapping,
    objects,
    sequence,
    words,
)
from services.gateway.portal.definitions.schemas import Schemas, example

METHODS = ("get", "post", "put", "patch", "delete", "head", "options", "trace")
TONES = {"get": "info", "post": "good", "put": "warn", "patch": "warn", "delete": "bad"}
MOST_OPERATIONS = 500
UNTAGGED = "Operations"


def read(text: str) -> Definition:
    """Raises Unreadable if the text is no OpenAPI document."""
    document = load(text)
    release = words(document.get("openapi") or document.get("swagger"))
    if not release:
        raise Unreadable("There is no `openapi` (or `swagger`) at its root.")
    return _Reader(document, release, text).definition()


class _Reader:
    def __init__(self, document: Mapping[str, Any], release: str, text: str) -> None:
        self._document = document
        self._release = release
        self._text = text
        components = mapping(document.get("components"))
        self._named = dict(
            objects(components.get("schemas") or document.get("definitions"))
        )
        known = {name: anchor("schema", name) for name in self._named}
        self._schemas = Schemas(document, known)

    def definition(self) -> Definition:
        info = mapping(self._document.get("info"))
        return Definition(
            language=f"OpenAPI {self._release}",
            raw=self._text,
            file_name="openapi.json"
            if self._text.lstrip()[:1] == "{"
            else "openapi.yaml",
            title=words(info.get("title")),
            version=words(info.get("version")),
            about=words(info.get("description")),
            facts=list(self._facts()),
            groups=[*self._tags(), *self._schema_group()],
        )

    def _facts(self) -> Iterator[tuple[str, str]]:
        for server in sequence(self._document.get("servers")):
            url = words(mapping(server).get("url"))
            about = words(mapping(server).get("description"))
            if url:
                yield about.partition(";")[0].partition(".")[0] or "Server", url
        host = words(self._document.get("host"))
        if host:
            yield "Server", host + words(self._document.get("basePath"))
        security = mapping(
            mapping(self._document.get("components")).get("securitySchemes")
            or self._document.get("securityDefinitions")
        )
        for name, scheme in objects(security):
            kind = words(scheme.get("scheme")) or words(scheme.get("type"))
            yield "Signs in with", f"{name} ({kind})" if kind else name

    def _tags(self) -> Iterator[Group]:
        about = {
            words(mapping(tag).get("name")): words(mapping(tag).get("description"))
            for tag in sequence(self._document.get("tags"))
        }
        found: dict[str, list[Entry]] = {name: [] for name in about if name}
        for count, (tag, entry) in enumerate(self._operations()):
            if count == MOST_OPERATIONS:
                break
            found.setdefault(tag, []).append(entry)
        for name, entries in found.items():
            if entries:
                title = name[:1].upper() + name[1:]
                yield Group(anchor("tag", name), title, about.get(name, ""), entries)

    def _operations(self) -> Iterator[tuple[str, Entry]]:
        for path, item in objects(self._document.get("paths")):
            shared = follow(self._document, item)[0]
            for method in METHODS:
                operation = shared.get(method)
                if not isinstance(operation, Mapping):
                    continue
                entry = self._entry(path, method, operation, shared)
                tags = [words(tag) for tag in sequence(operation.get("tags"))]
                for tag in tags[:1] or [UNTAGGED]:
                    yield tag, entry

    def _entry(
        self,
        path: str,
        method: str,
        operation: Mapping[str, Any],
        shared: Mapping[str, Any],
    ) -> Entry:
        given = [
            follow(self._document, each)[0]
            for each in (
                *sequence(shared.get("parameters")),
                *sequence(operation.get("parameters")),
            )
        ]
        return Entry(
            id=anchor(
                "operation", words(operation.get("operationId")) or method + path
            ),
            name=path,
            mark=method.upper(),
            tone=TONES.get(method, ""),
            summary=words(operation.get("summary")),
            about=words(operation.get("description")),
            deprecated=operation.get("deprecated") is True,
            parts=[
                *self._parameters([each for each in given if each.get("in") != "body"]),
                *self._body(operation, given),
                *self._answers(operation),
            ],
        )

    def _parameters(self, given: list[Mapping[str, Any]]) -> Iterator[Part]:
        rows = []
        for each in given:
            schema = each.get("schema", each)
            found = follow(self._document, schema)[0]
            about = self._schemas.about(
                {**found, "description": each.get("description")}
            )
            rows.append(
                Row(
                    name=words(each.get("name")),
                    type=" · ".join(
                        filter(
                            None, (self._schemas.type_of(schema), words(each.get("in")))
                        )
                    ),
                    about=about,
                    required=each.get("required") is True,
                    deprecated=each.get("deprecated") is True,
                )
            )
        if rows:
            yield Part("Parameters", rows)

    def _body(
        self, operation: Mapping[str, Any], given: list[Mapping[str, Any]]
    ) -> Iterator[Part]:
        for each in given:
            if each.get("in") == "body":
                rows = self._schemas.rows(each.get("schema"))
                yield Part("Body", rows, words(each.get("description")))
        body = follow(self._document, operation.get("requestBody"))[0]
        for media, content in objects(body.get("content")):
            title = "Body" if body.get("required") is True else "Body (optional)"
            about = words(body.get("description"))
            yield self._content(f"{title}: {media}", about, content)

    def _answers(self, operation: Mapping[str, Any]) -> Iterator[Part]:
        for status, told in mapping(operation.get("responses")).items():
            answer = follow(self._document, told)[0]
            tone = {"2": "good", "4": "warn", "5": "bad"}.get(str(status)[:1], "")
            about = words(answer.get("description"))
            contents = list(objects(answer.get("content")))
            if "schema" in answer:
                contents.append(("", answer))
            if not contents:
                yield Part(str(status), about=about, tone=tone)
            for media, content in contents:
                title = f"{status}: {media}" if media else str(status)
                yield self._content(title, about, content, tone)

    def _content(
        self, title: str, about: str, content: Mapping[str, Any], tone: str = ""
    ) -> Part:
        shown = content.get("example")
        for _, each in objects(content.get("examples")):
            shown = follow(self._document, each)[0].get("value", shown)
            break
        schema = content.get("schema")
        rows = self._schemas.rows(schema)
        kind = self._schemas.type_of(schema)
        about = " · ".join(filter(None, (about, kind if kind != "object" else "")))
        return Part(title, rows, about, tone, example(shown))

    def _schema_group(self) -> Iterator[Group]:
        entries = [
            Entry(
                id=anchor("schema", name),
                name=name,
                summary=words(schema.get("title")),
                about=words(schema.get("description")),
                deprecated=schema.get("deprecated") is True,
                parts=[Part("", self._schemas.rows(schema), tone="")],
            )
            for name, schema in list(self._named.items())[:MOST_OPERATIONS]
        ]
        if entries:
            yield Group("schemas", "Schemas", "", entries)
