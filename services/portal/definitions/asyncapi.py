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
    join_texts,
    objects,
    words,
)
from services.portal.definitions.schemas import Schemas, example
from shared.contracts.entity import list_of, mapping_of
from shared.guards.budgets import BudgetExceeded
from shared.guards.json_pointers import last_name

# In AsyncAPI 2 the verbs are the reader's: whoever may publish, the owner receives.
OLD_VERBS = {"publish": "receive", "subscribe": "send"}
TONES = {"send": "good", "receive": "info"}
SAYS = {"send": "Sends here", "receive": "Receives here"}
MOST_CHANNELS = 2_000
MOST_MESSAGES = 40
MOST_FACTS = 30


def read(text: str) -> Definition:
    """Raises Unreadable if the text is no AsyncAPI document."""
    document = load(text)
    release = words(document.get("asyncapi"))
    if not release:
        raise Unreadable("There is no `asyncapi` at its root.")
    reader = _Reader(document)
    groups = [*reader.channels(), reader.schemas.group(MOST_CHANNELS)]
    facts = list(reader.servers())[:MOST_FACTS]
    return document.definition(f"AsyncAPI {release}", "asyncapi", facts, groups)


class _Reader:
    def __init__(self, document: DefinitionDocument) -> None:
        self._document = document
        self.schemas = Schemas(document)

    def servers(self) -> Iterator[tuple[str, str]]:
        for name, server in objects(self._document.get("servers")):
            host = words(server.get("host") or server.get("url"))
            protocol = words(server.get("protocol"))
            yield name.capitalize(), f"{host} ({protocol})" if protocol else host

    def channels(self) -> Iterator[Group]:
        operations = self._operations_of_channels()
        entries = []
        channels = objects(self._document.get("channels"))
        for name, value in islice(channels, MOST_CHANNELS):
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
            join_texts(SAYS.get(action, action), about, mark=": ")
            for action, about in acts
        ]
        return DefinitionEntry(
            id=anchor("channel", name),
            name=words(channel.get("address")) or name,
            mark=" and ".join(actions).upper(),
            tone=TONES.get(actions[0], "") if len(actions) == 1 else "",
            summary=words(channel.get("title") or channel.get("description")),
            about=join_texts(
                words(channel.get("description")), *sentences, mark="\n\n"
            ),
            parts=[*self._parameters(channel), *self._messages(channel)],
        )

    def _parameters(self, channel: Mapping[str, Any]) -> Iterator[DefinitionPart]:
        rows = []
        for name, value in islice(objects(channel.get("parameters")), MOST_MESSAGES):
            parameter = self._document.follow(value)[0]
            kind = self.schemas.type_of(parameter.get("schema"))
            about = self.schemas.about(parameter)
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
                self.schemas.pay()
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
        kind = self.schemas.type_of(payload)
        about = words(message.get("summary") or message.get("description"))
        return DefinitionPart(
            title=words(message.get("title") or message.get("name"))
            or name
            or "Message",
            rows=self.schemas.rows(payload),
            about=join_texts(about, kind if kind != "object" else ""),
            example=example(payload_example),
        )
