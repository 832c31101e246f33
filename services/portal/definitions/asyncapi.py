"""AsyncAPI 2 and 3: channels, who sends and who receives on them, and messages."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
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
from services.portal.definitions.payload_formats import is_other_language
from services.portal.definitions.properties import info_facts, variables_of
from services.portal.definitions.schema_words import (
    MOST_EXAMPLES,
    SCHEMA_FIELDS,
    named_examples,
)
from services.portal.definitions.schemas import Schemas
from shared.contracts.entity import list_of, mapping_of
from shared.guards.budgets import BudgetExceeded
from shared.guards.json_pointers import last_name

# In AsyncAPI 2 the verbs are the reader's: whoever may publish, the owner receives.
OLD_VERBS = {"publish": "receive", "subscribe": "send"}
TONES = {"send": "good", "receive": "info"}
SAYS = {"send": "Sends here", "receive": "Receives here"}
MOST_CHANNELS = 2_000
MOST_MESSAGES = 40
MOST_FACTS = 60

ROOT_FIELDS = frozenset(
    {
        *("asyncapi", "id", "info", "servers", "channels", "operations", "components"),
        *("defaultContentType", "tags", "externalDocs"),
    }
)
SERVER_FIELDS = frozenset(
    {
        *("$ref", "host", "url", "pathname", "protocol", "protocolVersion", "title"),
        *("summary", "description", "variables"),
    }
)
CHANNEL_FIELDS = frozenset(
    {
        *("$ref", "address", "title", "summary", "description", "messages"),
        *("parameters", *OLD_VERBS),
    }
)
OPERATION_FIELDS = frozenset(
    {
        *("$ref", "action", "channel", "title", "summary", "description", "messages"),
        "reply",
    }
)
OLD_OPERATION_FIELDS = frozenset({"operationId", "summary", "description", "message"})
REPLY_FIELDS = frozenset({"$ref", "address", "channel", "messages"})
PARAMETER_FIELDS = frozenset(
    {"$ref", "description", "schema", "location", "enum", "default", "examples"}
)
MESSAGE_FIELDS = frozenset(
    {
        *("$ref", "messageId", "name", "title", "summary", "description"),
        *("contentType", "schemaFormat", "payload", "headers", "examples"),
    }
)


def read(text: str) -> Definition:
    """Raises Unreadable if the text is no AsyncAPI document."""
    document = load(text)
    release = words(document.get("asyncapi"))
    if not release:
        raise Unreadable("There is no `asyncapi` at its root.")
    reader = _Reader(document)
    groups = [*reader.channels(), reader.schemas.group(MOST_CHANNELS)]
    facts = list(document.unshown.first("facts", reader.facts(), MOST_FACTS))
    return document.definition(f"AsyncAPI {release}", "asyncapi", facts, groups)


class _Reader:
    def __init__(self, document: DefinitionDocument) -> None:
        self._document = document
        self._unshown = document.unshown
        self.schemas = Schemas(document)

    def facts(self) -> Iterator[tuple[str, str]]:
        """The servers with their variables, contact and documentation."""
        self._unshown.check("the document", self._document.root, ROOT_FIELDS)
        for name, value in objects(self._document.get("servers")):
            server = self._document.follow(value)[0]
            self._unshown.check("servers", server, SERVER_FIELDS)
            host = words(server.get("host") or server.get("url"))
            host += words(server.get("pathname"))
            protocol = join_texts(
                words(server.get("protocol")),
                words(server.get("protocolVersion")),
                mark=" ",
            )
            address = f"{host} ({protocol})" if protocol else host
            texts = (words(server.get(key)) for key in ("title", "summary"))
            about = words(server.get("description"))
            yield name.capitalize(), join_texts(address, *texts, about)
            yield from variables_of(server, self._document)
        yield from info_facts(self._document)

    def channels(self) -> Iterator[Group]:
        operations = self._operations_of_channels()
        entries = []
        channels = objects(self._document.get("channels"))
        for name, value in self._unshown.first("channels", channels, MOST_CHANNELS):
            channel = self._document.follow_item(value)
            acts = [*operations.get(name, []), *self._old_operations(channel)]
            entries.append(self._channel(name, channel, acts))
        if entries:
            yield Group("channels", "Channels", "", entries)

    def _operations_of_channels(self) -> dict[str, list[tuple[str, str]]]:
        operations: dict[str, list[tuple[str, str]]] = {}
        for key, value in objects(self._document.get("operations")):
            operation = self._document.follow(value)[0]
            self._unshown.check("operations", operation, OPERATION_FIELDS)
            name = _name_of(operation.get("channel"))
            about = join_texts(
                _about(operation, key),
                _messages_sentence(operation),
                self._reply(operation.get("reply")),
                mark=". ",
            )
            operations.setdefault(name, []).append(
                (words(operation.get("action")), about)
            )
        return operations

    def _reply(self, value: object) -> str:
        """Where the answer to a message goes, and which messages it is."""
        reply = self._document.follow(value)[0]
        if not reply:
            return ""
        self._unshown.check("replies", reply, REPLY_FIELDS)
        channel = self._document.follow(reply.get("channel"))[0]
        address = self._document.follow(reply.get("address"))[0]
        name = words(channel.get("address")) or _name_of(reply.get("channel"))
        texts = (words(address.get("location")), words(address.get("description")))
        place = join_texts(
            f"on `{name}`" if name else "",
            f"to the address in `{texts[0]}`" if texts[0] else "",
            texts[1],
            mark=", ",
        )
        return join_texts(
            f"Replies {place}".strip(), _messages_sentence(reply), mark=". "
        )

    def _old_operations(self, channel: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        for verb, action in OLD_VERBS.items():
            operation = mapping_of(channel.get(verb))
            if operation:
                self._unshown.check("operations", operation, OLD_OPERATION_FIELDS)
                yield action, _about(operation, words(operation.get("operationId")))

    def _channel(
        self, name: str, channel: Mapping[str, Any], acts: list[tuple[str, str]]
    ) -> DefinitionEntry:
        self._unshown.check("channels", channel, CHANNEL_FIELDS)
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
                words(channel.get("summary")),
                words(channel.get("description")),
                *sentences,
                mark="\n\n",
            ),
            parts=list(self._parts(channel)),
        )

    def _parts(self, channel: Mapping[str, Any]) -> Iterator[DefinitionPart]:
        """The parts of a channel, as far as the budget goes."""
        try:
            yield from self._parameters(channel)
            yield from self._messages(channel)
        except BudgetExceeded:
            yield DefinitionPart("…", about="Not shown; see the raw text.")

    def _parameters(self, channel: Mapping[str, Any]) -> Iterator[DefinitionPart]:
        rows: list[DefinitionRow] = []
        parameters = objects(channel.get("parameters"))
        for name, value in self._unshown.first("parameters", parameters, MOST_MESSAGES):
            parameter = self._document.follow(value)[0]
            self._unshown.check("parameters", parameter, PARAMETER_FIELDS)
            location = words(parameter.get("location"))
            rows += self.schemas.rows_of(
                DefinitionRow(
                    name,
                    about=join_texts(
                        words(parameter.get("description")),
                        f"from {location}" if location else "",
                    ),
                    required=True,
                ),
                # In version 3 a parameter is its own schema, of a string.
                parameter.get("schema")
                or {key: parameter[key] for key in parameter if key in SCHEMA_FIELDS},
            )
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
        for name, value in self._unshown.first("messages", messages, MOST_MESSAGES):
            self.schemas.pay()
            message, ref = self._document.follow(value)
            yield from self._message(name or ref, message)

    def _message(
        self, name: str, message: Mapping[str, Any]
    ) -> Iterator[DefinitionPart]:
        """The payload of a message, and its headers."""
        self._unshown.check("messages", message, MESSAGE_FIELDS)
        title = words(message.get("title") or message.get("name")) or name or "Message"
        about = join_texts(
            words(message.get("summary")),
            words(message.get("description")),
            words(message.get("contentType")),
        )
        payload = message.get("payload")
        # Version 2 names the language of a payload beside it.
        language = words(message.get("schemaFormat"))
        if is_other_language(language):
            payload = {"schemaFormat": language, "schema": payload}
        part = self.schemas.part(title, payload, about)
        text = self._examples(message, "payload") or part.example
        yield replace(part, example=text)
        if message.get("headers"):
            part = self.schemas.part(f"{title}: headers", message["headers"])
            text = self._examples(message, "headers") or part.example
            yield replace(part, example=text)

    def _examples(self, message: Mapping[str, Any], key: str) -> str:
        examples = map(
            mapping_of, list_of(message.get("examples"))[: MOST_EXAMPLES + 1]
        )
        return named_examples(
            [
                (words(item.get("name")), words(item.get("summary")), item[key])
                for item in examples
                if key in item
            ]
        )


def _name_of(reference: object) -> str:
    return last_name(words(mapping_of(reference).get("$ref")))


def _about(operation: Mapping[str, Any], name: str) -> str:
    """What an operation says of itself, and its name."""
    texts = [words(operation.get(key)) for key in ("title", "summary", "description")]
    text = join_texts(*dict.fromkeys(texts), mark=". ")
    return (f"{text} (`{name}`)" if text else f"`{name}`") if name else text


def _messages_sentence(operation: Mapping[str, Any]) -> str:
    names = list(map(_name_of, list_of(operation.get("messages"))[:MOST_MESSAGES]))
    text = ", ".join(f"`{name}`" for name in names if name)
    return f"Messages: {text}" if text else ""
