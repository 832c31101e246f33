"""AsyncAPI 2 and 3: channels, who sends and who receives on them, and messages."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from services.portal.definitions.documents import DefinitionDocument, load
from services.portal.definitions.model import (
    Definition,
    DefinitionEntry,
    DefinitionPart,
    DefinitionRow,
    Group,
    Unreadable,
    anchor,
    budget_of,
    objects,
    outside_notes,
    words,
)
from services.portal.definitions.schemas import Schemas, example
from shared.contracts.entity import list_of, mapping_of
from shared.guards.budgets import BudgetExceeded
from shared.guards.json_pointers import last_name

# In AsyncAPI 2 the verbs are the reader's: whoever may publish, the owner receives.
OLD_VERBS = {"publish": "receive", "subscribe": "send"}
TONES = {"send": "good", "receive": "info"}
SAYS = {"send": "It sends here", "receive": "It listens here"}
MOST_CHANNELS = 2_000
MOST_MESSAGES = 40
MOST_FACTS = 30


def read(text: str) -> Definition:
    """Raises Unreadable if the text is no AsyncAPI document."""
    document = load(text)
    release = words(document.get("asyncapi"))
    if not release:
        raise Unreadable("There is no `asyncapi` at its root.")
    return _Reader(document, release, text).definition()


class _Reader:
    def __init__(self, document: DefinitionDocument, release: str, text: str) -> None:
        self._document = document
        self._release = release
        self._text = text
        components = mapping_of(document.get("components"))
        self._named = dict(objects(components.get("schemas")))
        entry_ids = {name: anchor("schema", name) for name in self._named}
        self._schemas = Schemas(document, entry_ids, budget_of(text))

    def definition(self) -> Definition:
        info = mapping_of(self._document.get("info"))
        groups = [*self._channels(), *self._schema_group()]
        notes = outside_notes(list(self._document.outside))
        json_text = self._text.lstrip()[:1] == "{"
        return Definition(
            language=f"AsyncAPI {self._release}",
            raw=self._text,
            file_name="asyncapi.json" if json_text else "asyncapi.yaml",
            title=words(info.get("title")),
            version=words(info.get("version")),
            about=words(info.get("description")),
            facts=list(self._servers())[:MOST_FACTS],
            groups=groups,
            notes=notes,
        )

    def _servers(self) -> Iterator[tuple[str, str]]:
        for name, server in objects(self._document.get("servers")):
            host = words(server.get("host") or server.get("url"))
            protocol = words(server.get("protocol"))
            yield name.capitalize(), f"{host} ({protocol})" if protocol else host

    def _channels(self) -> Iterator[Group]:
        operations = self._operations_of_channels()
        entries = []
        for name, value in list(objects(self._document.get("channels")))[
            :MOST_CHANNELS
        ]:
            channel = self._document.follow(value)[0]
            acts = [*operations.get(name, []), *self._old_operations(channel)]
            entries.append(self._channel(name, channel, acts))
        if entries:
            yield Group("channels", "Channels", "", entries)

    def _operations_of_channels(self) -> dict[str, list[tuple[str, str]]]:
        operations: dict[str, list[tuple[str, str]]] = {}
        for _, value in objects(self._document.get("operations")):
            operation = self._document.follow(value)[0]
            pointer = words(mapping_of(operation.get("channel")).get("$ref"))
            name = last_name(pointer)
            about = words(operation.get("summary") or operation.get("description"))
            operations.setdefault(name, []).append(
                (words(operation.get("action")), about)
            )
        return operations

    def _old_operations(self, channel: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        for verb, action in OLD_VERBS.items():
            operation = mapping_of(channel.get(verb))
            if operation:
                about = words(operation.get("summary") or operation.get("description"))
                yield action, about

    def _channel(
        self, name: str, channel: Mapping[str, Any], acts: list[tuple[str, str]]
    ) -> DefinitionEntry:
        actions = list(dict.fromkeys(action for action, _ in acts))
        sentences = [
            ": ".join(filter(None, (SAYS.get(a, a), about))) for a, about in acts
        ]
        return DefinitionEntry(
            id=anchor("channel", name),
            name=words(channel.get("address")) or name,
            mark=" and ".join(actions).upper(),
            tone=TONES.get(actions[0], "") if len(actions) == 1 else "",
            summary=words(channel.get("title") or channel.get("description")),
            about="\n\n".join(
                filter(None, (words(channel.get("description")), *sentences))
            ),
            parts=[*self._parameters(channel), *self._messages(channel)],
        )

    def _parameters(self, channel: Mapping[str, Any]) -> Iterator[DefinitionPart]:
        rows = []
        for name, value in islice(objects(channel.get("parameters")), MOST_MESSAGES):
            parameter = self._document.follow(value)[0]
            kind = self._schemas.type_of(parameter.get("schema"))
            about = self._schemas.about(parameter)
            rows.append(DefinitionRow(name, kind, about, required=True))
        if rows:
            yield DefinitionPart("In the address", rows)

    def _messages(self, channel: Mapping[str, Any]) -> Iterator[DefinitionPart]:
        messages: list[tuple[str, object]] = list(objects(channel.get("messages")))
        for verb in OLD_VERBS:
            message = mapping_of(channel.get(verb)).get("message")
            alternatives = list_of(mapping_of(message).get("oneOf"))
            messages += [
                ("", item) for item in alternatives or ([message] if message else [])
            ]
        try:
            for name, value in messages[:MOST_MESSAGES]:
                self._schemas.pay()
                message, ref = self._document.follow(value)
                yield self._message(name or ref, message)
        except BudgetExceeded:
            yield DefinitionPart("…", about="Not shown; see the raw text.")

    def _message(self, name: str, message: Mapping[str, Any]) -> DefinitionPart:
        payload_example = mapping_of(
            next(iter(list_of(message.get("examples"))), None)
        ).get("payload")
        # Payloads of AsyncAPI 3 may say which language they are in.
        payload = message.get("payload")
        payload = mapping_of(payload).get("schema", payload)
        kind = self._schemas.type_of(payload)
        about = words(message.get("summary") or message.get("description"))
        return DefinitionPart(
            title=words(message.get("title") or message.get("name"))
            or name
            or "Message",
            rows=self._schemas.rows(payload),
            about=" · ".join(filter(None, (about, kind if kind != "object" else ""))),
            example=example(payload_example),
        )

    def _schema_group(self) -> Iterator[Group]:
        entries = [
            DefinitionEntry(
                id=anchor("schema", name),
                name=name,
                about=words(schema.get("description")),
                parts=[DefinitionPart("", self._schemas.rows(schema))],
            )
            for name, schema in list(self._named.items())[:MOST_CHANNELS]
        ]
        if entries:
            yield Group("schemas", "Schemas", "", entries)
