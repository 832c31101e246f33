"""GraphQL schemas in their definition language: queries, mutations and types."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from services.portal.definitions.model import (
    Definition,
    DefinitionEntry,
    DefinitionPart,
    DefinitionRow,
    Group,
    anchor,
    join_texts,
)
from services.portal.definitions.tokens import Token, Tokens, tokenize

PATTERN = re.compile(
    r'(?P<block>"""(?:\\"""|[^"]|"(?!""))*+""")'
    r'|(?P<string>"(?:\\.|[^"\\\n])*+")'
    r"|(?P<space>(?:[\s,\ufeff]|\#[^\n]*)++)"
    r"|(?P<word>[_A-Za-z0-9.\-]+)|(?P<mark>\.\.\.|[!$&()\[\]{}:=@|])"
    r"|(?P<unknown>.)",
    re.DOTALL,
)
ROOTS = {"Query": "Queries", "Mutation": "Mutations", "Subscription": "Subscriptions"}
GROUPS = {
    "type": "Types",
    "interface": "Interfaces",
    "union": "Unions",
    "input": "Inputs",
    "enum": "Enumerations",
    "scalar": "Scalars",
}


@dataclass(slots=True)
class _Field:
    name: str
    type: str = ""
    about: str = ""
    arguments: list[DefinitionRow] = field(default_factory=list)
    default: str = ""
    deprecated: str | None = None

    @property
    def default_text(self) -> str:
        return f"default {self.default}" if self.default else ""


@dataclass(slots=True)
class _Type:
    kind: str
    name: str
    about: str = ""
    fields: list[_Field] = field(default_factory=list)
    implements: list[str] = field(default_factory=list)


def read(text: str) -> Definition:
    """Raises Unreadable if the text is no GraphQL schema."""
    parser = _Parser(text)
    types = parser.types
    entry_ids = {
        graphql_type.name: anchor("type", graphql_type.name)
        for graphql_type in types.values()
    }
    groups = []
    for name, title in parser.roots.items():
        root = types.pop(name, None)
        if root is not None:
            entries = [_call(field, title, entry_ids) for field in root.fields]
            groups.append(Group(anchor(title), title, root.about, entries))
    for kind, title in GROUPS.items():
        entries = [
            _entry(graphql_type, entry_ids)
            for graphql_type in types.values()
            if graphql_type.kind == kind
        ]
        if entries:
            groups.append(Group(anchor(title), title, "", entries))
    return Definition(
        "GraphQL", text, "schema.graphql", groups=groups, notes=parser.notes
    )


def _base_type(kind: str) -> str:
    return kind.strip("[]!")


def _row(field: _Field, entry_ids: dict[str, str]) -> DefinitionRow:
    arguments = ", ".join(f"{row.name}: {row.type}" for row in field.arguments)
    about = join_texts(
        field.about,
        f"Takes {arguments}" if arguments else "",
        field.default_text,
        field.deprecated or "",
    )
    return DefinitionRow(
        field.name,
        field.type,
        about,
        required=field.type.endswith("!"),
        deprecated=field.deprecated is not None,
        link=entry_ids.get(_base_type(field.type), ""),
    )


def _call(field: _Field, title: str, entry_ids: dict[str, str]) -> DefinitionEntry:
    rows = [
        replace(row, link=entry_ids.get(_base_type(row.type), ""))
        for row in field.arguments
    ]
    answer = DefinitionRow(
        "", field.type, link=entry_ids.get(_base_type(field.type), "")
    )
    return DefinitionEntry(
        id=anchor(title, field.name),
        name=field.name,
        gives=field.type,
        summary=field.about.partition("\n")[0],
        about=join_texts(field.about, field.deprecated or "", mark="\n\n"),
        deprecated=field.deprecated is not None,
        parts=[
            *([DefinitionPart("Arguments", rows)] if rows else []),
            DefinitionPart("Answers", [answer]),
        ],
    )


def _entry(graphql_type: _Type, entry_ids: dict[str, str]) -> DefinitionEntry:
    summary = (
        f"implements {', '.join(graphql_type.implements)}"
        if graphql_type.implements
        else ""
    )
    rows = [_row(field, entry_ids) for field in graphql_type.fields]
    return DefinitionEntry(
        id=anchor("type", graphql_type.name),
        name=graphql_type.name,
        mark=graphql_type.kind,
        summary=summary or graphql_type.about.partition("\n")[0],
        about=graphql_type.about,
        parts=[DefinitionPart("", rows)] if rows else [],
    )


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = Tokens(_tokens(text))
        self.notes = self._tokens.notes
        #: The types by name, and the titles of the roots.
        self.types: dict[str, _Type] = {}
        self.roots = dict(ROOTS)
        self._tokens.read_all(self._definition)

    def _definition(self) -> None:
        about = self._about()
        extends = self._tokens.take("extend")
        kind = self._tokens.next()
        if kind.text == "schema":
            self._schema(extends=extends)
        elif kind.text == "directive":
            self._directive()
        else:
            self._type(kind, about)

    def _about(self) -> str:
        token = self._tokens.peek()
        return self._tokens.next().text if token.string else ""

    def _schema(self, *, extends: bool) -> None:
        self._directives()
        if extends and self._tokens.peek().text != "{":
            # Subgraphs of a federation begin with `extend schema @link(…)` alone.
            return
        self._tokens.expect("{")
        self.roots = dict(self.roots) if extends else {}
        while not self._tokens.take("}"):
            self._about()
            operation = self._tokens.next().text
            self._tokens.expect(":")
            name = self._tokens.next().text
            self.roots[name] = ROOTS.get(operation.capitalize(), operation)

    def _directive(self) -> None:
        self._tokens.expect("@")
        self._tokens.next()
        if self._tokens.peek().text == "(":
            self._tokens.skip_block("(", ")")
        self._tokens.take("repeatable")
        self._tokens.expect("on")
        self._names("|")

    def _type(self, kind: Token, about: str) -> None:
        if kind.text not in GROUPS:
            self._tokens.expect(" or ".join(GROUPS))
        name = self._tokens.next().text
        graphql_type = self.types.setdefault(name, _Type(kind.text, name))
        graphql_type.about = graphql_type.about or about
        if self._tokens.take("implements"):
            graphql_type.implements += self._names("&")
        self._directives()
        if self._tokens.take("="):
            graphql_type.fields += [_Field(member) for member in self._names("|")]
            for member in graphql_type.fields:
                member.type = member.type or member.name
        elif self._tokens.take("{"):
            while not self._tokens.take("}"):
                graphql_type.fields.append(self._field(plain=kind.text == "enum"))

    def _names(self, joint: str) -> list[str]:
        self._tokens.take(joint)
        names = [self._tokens.next().text]
        while self._tokens.take(joint):
            names.append(self._tokens.next().text)
        return names

    def _field(self, *, plain: bool = False) -> _Field:
        field = _Field(about=self._about(), name=self._tokens.next().text)
        if not plain:
            if self._tokens.take("("):
                while not self._tokens.take(")"):
                    field.arguments.append(self._argument())
            self._tokens.expect(":")
            field.type = self._type_text()
            if self._tokens.take("="):
                field.default = self._value()
        field.deprecated = self._directives()
        return field

    def _argument(self) -> DefinitionRow:
        field = self._field()
        about = join_texts(field.about, field.default_text)
        return DefinitionRow(field.name, field.type, about, field.type.endswith("!"))

    def _type_text(self) -> str:
        if self._tokens.take("["):
            inner = f"[{self._type_text()}]"
            self._tokens.expect("]")
        else:
            inner = self._tokens.next().text
        return inner + ("!" if self._tokens.take("!") else "")

    def _value(self) -> str:
        opening = self._tokens.peek().text
        if self._tokens.peek().string or opening not in "[{" or not opening:
            token = self._tokens.next()
            return f'"{token.text}"' if token.string else token.text
        closing = {"[": "]", "{": "}"}[opening]
        self._tokens.skip_block(opening, closing)
        return f"{opening}…{closing}"

    def _directives(self) -> str | None:
        """What `@deprecated` says, "" if it gives no reason, None if it is absent."""
        reason: str | None = None
        while self._tokens.take("@"):
            name = self._tokens.next().text
            argument = ""
            if self._tokens.peek().text == "(" and not self._tokens.peek().string:
                ahead = self._tokens.peek(3)
                argument = ahead.text if ahead.string else ""
                self._tokens.skip_block("(", ")")
            if name == "deprecated":
                reason = argument
        return reason


def _tokens(text: str) -> Iterator[Token]:
    for kind, lexeme, line in tokenize(text, PATTERN):
        if kind == "block":
            content = textwrap.dedent(
                "\n" + lexeme[3:-3].replace('\\"""', '"""')
            ).strip()
            yield Token(content, line, string=True)
        elif kind == "string":
            yield Token(lexeme[1:-1].replace('\\"', '"'), line, string=True)
        elif kind in {"word", "mark"}:
            yield Token(lexeme, line)
