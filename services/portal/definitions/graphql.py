"""GraphQL schemas in their definition language: queries, mutations and types."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

from services.portal.definitions.model import (
    Definition,
    DefinitionEntry,
    DefinitionPart,
    DefinitionRow,
    Group,
    Unreadable,
    anchor,
)
from services.portal.definitions.tokens import CUT, Token, Tokens, tokenize

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
    types, roots = parser.document()
    entry_ids = {
        graphql_type.name: anchor("type", graphql_type.name)
        for graphql_type in types.values()
    }
    groups = []
    for name, title in roots.items():
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
    notes = [CUT] if parser.is_cut else []
    return Definition("GraphQL", text, "schema.graphql", groups=groups, notes=notes)


def _bare(kind: str) -> str:
    return kind.strip("[]!")


def _row(field: _Field, entry_ids: dict[str, str]) -> DefinitionRow:
    about = field.about
    if field.arguments:
        arguments = ", ".join(f"{row.name}: {row.type}" for row in field.arguments)
        about = " · ".join(filter(None, (about, f"Takes {arguments}")))
    if field.default:
        about = " · ".join(filter(None, (about, f"default {field.default}")))
    if field.deprecated:
        about = " · ".join(filter(None, (about, field.deprecated)))
    return DefinitionRow(
        field.name,
        field.type,
        about,
        required=field.type.endswith("!"),
        deprecated=field.deprecated is not None,
        link=entry_ids.get(_bare(field.type), ""),
    )


def _call(field: _Field, title: str, entry_ids: dict[str, str]) -> DefinitionEntry:
    parts = []
    if field.arguments:
        rows = [
            DefinitionRow(
                row.name,
                row.type,
                row.about,
                row.required,
                link=entry_ids.get(_bare(row.type), ""),
            )
            for row in field.arguments
        ]
        parts.append(DefinitionPart("Arguments", rows))
    gives = DefinitionRow("", field.type, link=entry_ids.get(_bare(field.type), ""))
    parts.append(DefinitionPart("Answers", [gives]))
    return DefinitionEntry(
        id=anchor(title, field.name),
        name=field.name,
        gives=field.type,
        summary=field.about.partition("\n")[0],
        about="\n\n".join(filter(None, (field.about, field.deprecated or ""))),
        deprecated=field.deprecated is not None,
        parts=parts,
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
        self._types: dict[str, _Type] = {}
        self._roots = dict(ROOTS)

    @property
    def is_cut(self) -> bool:
        """Whether the text goes on after what was read of it."""
        return self._tokens.is_cut

    def document(self) -> tuple[dict[str, _Type], dict[str, str]]:
        """The types by name, and the roots with their titles."""
        try:
            self._definitions()
        except Unreadable:
            if not self.is_cut:
                raise
        return self._types, self._roots

    def _definitions(self) -> None:
        while not self._tokens.ended:
            about = self._about()
            extends = self._tokens.take("extend")
            kind = self._tokens.next()
            if kind.text == "schema":
                self._schema(extends=bool(extends))
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
        self._roots = dict(self._roots) if extends else {}
        while not self._tokens.take("}"):
            self._about()
            operation = self._tokens.next().text
            self._tokens.expect(":")
            name = self._tokens.next().text
            self._roots[name] = ROOTS.get(operation.capitalize(), operation)

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
        graphql_type = self._types.setdefault(name, _Type(kind.text, name))
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
        about = " · ".join(
            filter(
                None, (field.about, f"default {field.default}" if field.default else "")
            )
        )
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
