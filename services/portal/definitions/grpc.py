"""Protocol Buffers: services with their calls, messages and enumerations."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from services.portal.definitions.model import (
    Definition,
    DefinitionEntry,
    DefinitionPart,
    DefinitionRow,
    Group,
    Unreadable,
    anchor,
    join_texts,
)
from services.portal.definitions.tokens import Token, Tokens, tokenize

PATTERN = re.compile(
    r"(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<space>[\s\ufeff]+)"
    r"|(?P<string>\"(?:\\.|[^\"\\\n])*+\"|'(?:\\.|[^'\\\n])*+')"
    r"|(?P<word>[A-Za-z0-9_.+\-]+)|(?P<mark>[{}()\[\]<>=;,:/])|(?P<unknown>.)",
    re.DOTALL,
)
#: Between the names of a type: of `map<string, a.B>` the last one leads somewhere.
MARKS = re.compile(r"[ ,<>]+")


@dataclass(slots=True)
class _File:
    package: str = ""
    syntax: str = "proto2"
    services: list[Group] = field(default_factory=list)
    messages: list[DefinitionEntry] = field(default_factory=list)
    enums: list[DefinitionEntry] = field(default_factory=list)


def read(text: str) -> Definition:
    """Raises Unreadable if the text is no protocol buffer file."""
    parser = _Parser(text)
    proto_file = parser.file
    if not (proto_file.services or proto_file.messages or proto_file.enums):
        raise Unreadable("There is no service and no message in it.")
    entry_ids = {
        entry.name: entry.id for entry in (*proto_file.messages, *proto_file.enums)
    }
    groups = [
        *proto_file.services,
        Group("messages", "Messages", "", proto_file.messages),
        Group("enumerations", "Enumerations", "", proto_file.enums),
    ]
    facts = [("Package", proto_file.package)] if proto_file.package else []
    return Definition(
        language=f"gRPC ({proto_file.syntax})",
        raw=text,
        file_name="api.proto",
        facts=facts,
        groups=[_with_links(group, entry_ids) for group in groups if group.entries],
        notes=parser.notes,
    )


def _with_links(group: Group, entry_ids: dict[str, str]) -> Group:
    """The group, each row with a link to the entry that explains its type."""

    def with_link(row: DefinitionRow) -> DefinitionRow:
        name = MARKS.split(row.type.strip("<> "))[-1].rpartition(".")[2]
        return replace(row, link=entry_ids.get(name, ""))

    def with_rows(part: DefinitionPart) -> DefinitionPart:
        return replace(part, rows=list(map(with_link, part.rows)))

    entries = [
        replace(entry, parts=list(map(with_rows, entry.parts)))
        for entry in group.entries
    ]
    return replace(group, entries=entries)


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = Tokens(_tokens(text))
        self.notes = self._tokens.notes
        #: What the text declares.
        self.file = _File()
        self._tokens.read_all(self._declaration)

    def _declaration(self) -> None:
        token = self._tokens.next()
        match token.text:
            case "syntax" | "edition":
                self._tokens.expect("=")
                self.file.syntax = self._tokens.next().text
                self._tokens.expect(";")
            case "package":
                self.file.package = self._tokens.next().text
                self._tokens.expect(";")
            case "service":
                self._service(token.about)
            case "message":
                self._message(token.about, "")
            case "enum":
                self._enum(token.about, "")
            case "extend":
                self._tokens.next()
                self._tokens.skip_block("{", "}")
            case "import" | "option":
                self._statement()
            case ";":
                pass
            case other:
                raise Unreadable(f"`{other[:40]}`, line {token.line}, means nothing.")

    def _statement(self) -> None:
        """Passes over the rest of a statement that readers need not see."""
        while not self._tokens.take(";"):
            if self._tokens.peek().text == "{":
                self._tokens.skip_block("{", "}")
            else:
                self._tokens.next()

    def _service(self, about: str) -> None:
        name = self._tokens.next().text
        self._tokens.expect("{")
        entries = []
        while not self._tokens.take("}"):
            token = self._tokens.next()
            if token.text == "rpc":
                entries.append(self._call(name, token.about))
            elif token.text == "option":
                self._statement()
        title = f"{self.file.package}.{name}" if self.file.package else name
        self.file.services.append(
            Group(anchor("service", name), name, about or title, entries)
        )

    def _call(self, service: str, about: str) -> DefinitionEntry:
        name = self._tokens.next().text
        takes, streams_in = self._side()
        self._tokens.expect("returns")
        gives, streams_out = self._side()
        if not self._tokens.take(";"):
            self._tokens.skip_block("{", "}")
        mark = {
            (False, False): "call",
            (True, False): "client stream",
            (False, True): "server stream",
            (True, True): "both ways",
        }[streams_in, streams_out]
        says = [
            DefinitionPart(
                "Takes", [DefinitionRow("stream of" if streams_in else "", takes)]
            ),
            DefinitionPart(
                "Answers", [DefinitionRow("stream of" if streams_out else "", gives)]
            ),
        ]
        return DefinitionEntry(
            anchor("call", service, name),
            name,
            mark,
            summary=about.partition("\n")[0],
            about=about,
            parts=says,
            gives=gives,
        )

    def _side(self) -> tuple[str, bool]:
        self._tokens.expect("(")
        streams = (
            self._tokens.peek().text == "stream" and self._tokens.peek(1).text != ")"
        )
        if streams:
            self._tokens.next()
        kind = self._tokens.next().text
        self._tokens.expect(")")
        return kind, streams

    def _message(self, about: str, outer: str) -> None:
        self._fields_of(self._tokens.next().text, about, outer)

    def _fields_of(self, name: str, about: str, outer: str) -> None:
        """The message `name`, whose block comes next."""
        full = f"{outer}.{name}" if outer else name
        self._tokens.expect("{")
        rows: list[DefinitionRow] = []
        place = len(self.file.messages)
        while not self._tokens.take("}"):
            rows += self._member(full)
        parts = [DefinitionPart("", rows)] if rows else []
        entry = DefinitionEntry(
            anchor("message", full),
            name,
            summary=about.partition("\n")[0],
            about=about,
            parts=parts,
        )
        self.file.messages.insert(place, entry)

    def _member(self, outer: str, choice: str = "") -> Iterator[DefinitionRow]:
        token = self._tokens.next()
        match token.text:
            case "message":
                self._message(token.about, outer)
            case "enum":
                self._enum(token.about, outer)
            case "oneof":
                name = self._tokens.next().text
                self._tokens.expect("{")
                while not self._tokens.take("}"):
                    yield from self._member(outer, f"one of {name}")
            case "option" | "reserved" | "extensions":
                self._statement()
            case "extend":
                self._tokens.next()
                self._tokens.skip_block("{", "}")
            case ";":
                pass
            case _:
                yield self._field(token, choice, outer)

    def _field(self, token: Token, choice: str, outer: str) -> DefinitionRow:
        label, kind = "", token.text
        if kind in {"repeated", "optional", "required"}:
            label, kind = kind, self._tokens.next().text
        if kind == "map" and self._tokens.take("<"):
            key = self._tokens.next().text
            self._tokens.expect(",")
            kind = f"map<{key}, {self._tokens.next().text}>"
            self._tokens.expect(">")
        name = self._tokens.next().text
        self._tokens.expect("=")
        number = self._tokens.next()
        deprecated = self._options()
        if kind == "group":
            # Of proto2: a message, and a field that has its name in small letters.
            self._fields_of(name, token.about, outer)
            name, kind, after = name.lower(), name, token
        else:
            after = self._tokens.expect(";")
        about = join_texts(token.about or after.about, choice, f"no. {number.text}")
        type_text = f"{label} {kind}" if label in {"repeated", "optional"} else kind
        return DefinitionRow(name, type_text, about, label == "required", deprecated)

    def _options(self) -> bool:
        if self._tokens.peek().text != "[":
            return False
        deprecated, ahead = False, 0
        while self._tokens.peek(ahead).text not in {"]", ""}:
            if self._tokens.peek(ahead).text == "deprecated":
                deprecated = self._tokens.peek(ahead + 2).text == "true"
            ahead += 1
        self._tokens.skip_block("[", "]")
        return deprecated

    def _enum(self, about: str, outer: str) -> None:
        name = self._tokens.next().text
        full = f"{outer}.{name}" if outer else name
        self._tokens.expect("{")
        rows = []
        while not self._tokens.take("}"):
            token = self._tokens.next()
            if token.text in {"option", "reserved"}:
                self._statement()
            elif self._tokens.take("="):
                number = self._tokens.next().text
                deprecated = self._options()
                after = self._tokens.expect(";")
                about_value = token.about or after.about
                rows.append(
                    DefinitionRow(
                        token.text, number, about_value, deprecated=deprecated
                    )
                )
        self.file.enums.append(
            DefinitionEntry(
                anchor("enum", full),
                name,
                about=about,
                parts=[DefinitionPart("", rows)],
            )
        )


def _tokens(text: str) -> Iterator[Token]:
    """Tokens with the comment before them; a `;` carries the one behind it."""
    about: list[str] = []
    waiting: Token | None = None
    for kind, lexeme, line in tokenize(text, PATTERN):
        if kind == "space":
            if lexeme.count("\n") > 1:
                about = []
        elif kind == "comment":
            comment = _comment_text(lexeme)
            if waiting is not None and waiting.line == line:
                waiting = Token(";", line, comment)
            else:
                about.append(comment)
        else:
            if waiting is not None:
                yield waiting
                waiting = None
            content = lexeme[1:-1] if kind == "string" else lexeme
            before = "\n".join(about).strip() if about else ""
            token = Token(content, line, before, kind == "string")
            about = []
            if lexeme == ";":
                waiting = Token(";", line)
            else:
                yield token
    if waiting is not None:
        yield waiting


def _comment_text(comment: str) -> str:
    if comment.startswith("//"):
        return comment[2:].strip()
    lines = [line.strip().lstrip("*").strip() for line in comment[2:-2].splitlines()]
    return "\n".join(lines).strip()
