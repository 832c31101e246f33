"""Adds a login (SCRAM-SHA-256, RFC 7677) to the embedded document store.

Before the login a connection may only send a few commands that identify the server.
Every process of the machine can connect to the port, but only those that may read the
password file can log in.
"""

import asyncio
import base64
import hashlib
import hmac
import secrets
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bson import Binary
from nx_27017.wire_protocol import OP_MSG, OP_QUERY, ResponseBuilder, WireProtocol

from deploy.embedded.engines import DOCUMENTS_USER as USER

MECHANISM = "SCRAM-SHA-256"
ITERATIONS = 4096
HEADER = struct.Struct("<iiii")
#: The longest message before a login.
MESSAGE_BYTES = 64 * 1024
#: The longest time in which a message must arrive completely.
SECONDS = 20.0
#: Commands that drivers send before a login.
OPEN_COMMANDS = frozenset(
    {"hello", "ismaster", "isMaster", "ping", "buildInfo", "buildinfo"}
)
UNAUTHORIZED = {"ok": 0.0, "code": 13, "codeName": "Unauthorized"}
FAILED = {"ok": 0.0, "code": 18, "codeName": "AuthenticationFailed"}

Reply = dict[str, Any]
ConnectionHandler = Callable[
    [asyncio.StreamReader, asyncio.StreamWriter, Any], Awaitable[None]
]


class LoginRefused(Exception):
    """The client sent a wrong password or a message that is not allowed."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """The stored keys that a password is verified with, without the password."""

    salt: bytes
    stored_key: bytes
    server_key: bytes

    @classmethod
    def of(cls, password: str) -> "Verifier":
        """Derive the keys of a password; takes some milliseconds."""
        salt = secrets.token_bytes(16)
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
        client_key = _mac(salted, b"Client Key")
        stored_key = hashlib.sha256(client_key).digest()
        return cls(salt, stored_key, _mac(salted, b"Server Key"))


class Exchange:
    """One SCRAM exchange, with two messages of each side."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self._auth_message = b""
        self._nonce = b""

    def first(self, message: bytes) -> bytes:
        """The reply to the client's first message.

        Raises:
            LoginRefused: if it is malformed, or of another user.
        """
        bare = message.removeprefix(b"n,,")
        fields = _fields(bare)
        if bare == message or fields.get(b"n") != USER.encode() or b"r" not in fields:
            raise LoginRefused
        self._nonce = fields[b"r"] + base64.b64encode(secrets.token_bytes(18))
        salt = base64.b64encode(self._verifier.salt)
        answer = b"r=%b,s=%b,i=%d" % (self._nonce, salt, ITERATIONS)
        self._auth_message = bare + b"," + answer
        return answer

    def last(self, message: bytes) -> bytes:
        """The reply to the client's proof.

        Raises:
            LoginRefused: if the proof is wrong.
        """
        fields = _fields(message)
        bare, _, _ = message.rpartition(b",p=")
        if not self._nonce or fields.get(b"r") != self._nonce:
            raise LoginRefused
        auth_message = self._auth_message + b"," + bare
        try:
            proof = base64.b64decode(fields.get(b"p", b""), validate=True)
        except ValueError as error:
            raise LoginRefused from error
        signature = _mac(self._verifier.stored_key, auth_message)
        if len(proof) != len(signature):
            raise LoginRefused
        key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
        if not hmac.compare_digest(
            hashlib.sha256(key).digest(), self._verifier.stored_key
        ):
            raise LoginRefused
        return b"v=" + base64.b64encode(_mac(self._verifier.server_key, auth_message))


class LoginConnection:
    """The messages of one connection until it has logged in."""

    def __init__(self, verifier: Verifier, handler: Any) -> None:
        self._verifier = verifier
        self._handler = handler
        self._exchange: Exchange | None = None
        self.is_logged_in = False

    async def answer(self, message: bytes) -> bytes:
        """The reply to one message of the wire protocol.

        Raises:
            LoginRefused: if the message is not allowed before a login.
            ValueError: if it is malformed.
        """
        _, number, _, kind = HEADER.unpack_from(message)
        if kind == WireProtocol.OP_QUERY:
            query = OP_QUERY.parse(message)
            return await self._legacy_hello(query, number)
        if kind != WireProtocol.OP_MSG:
            raise LoginRefused
        parsed = OP_MSG.parse(message)
        command = dict(
            next(data for name, data in parsed["sections"] if name == "body")
        )
        name = next(iter(command))
        if name == "saslStart":
            reply = self._start(command)
        elif name == "saslContinue":
            reply = self._continue(command)
        elif name in OPEN_COMMANDS:
            _, response = await asyncio.to_thread(self._handler.handle_command, parsed)
            reply = _with_mechanisms(response, command)
        else:
            reply = {**UNAUTHORIZED, "errmsg": f"{name} requires authentication"}
        message_bytes: bytes = ResponseBuilder.build_op_msg_reply(0, number, reply)
        return message_bytes

    async def _legacy_hello(self, message: dict[str, Any], number: int) -> bytes:
        """Reply to a driver's first message, which uses the older OP_QUERY."""
        query = message.get("query") or {}
        if not query or next(iter(query)) not in OPEN_COMMANDS:
            raise LoginRefused
        _, responses = await asyncio.to_thread(self._handler.handle_query, message)
        documents = [_with_mechanisms(document, query) for document in responses]
        message_bytes: bytes = ResponseBuilder.build_reply(0, number, documents)
        return message_bytes

    def _start(self, command: Mapping[str, Any]) -> Reply:
        if command.get("mechanism") != MECHANISM:
            return self._failed()
        self._exchange = Exchange(self._verifier)
        try:
            payload = self._exchange.first(_payload(command))
        except LoginRefused:
            return self._failed()
        return _sasl_reply(payload, done=False)

    def _continue(self, command: Mapping[str, Any]) -> Reply:
        if self._exchange is None:
            return self._failed()
        try:
            payload = self._exchange.last(_payload(command))
        except LoginRefused:
            return self._failed()
        self.is_logged_in = True
        return _sasl_reply(payload, done=True)

    def _failed(self) -> Reply:
        self._exchange = None
        return {**FAILED, "errmsg": "Authentication failed."}


def with_login(serve: ConnectionHandler, password: str) -> ConnectionHandler:
    """Wrap `serve` so that connections must log in before."""
    verifier = Verifier.of(password)

    async def enter(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Any
    ) -> None:
        connection = LoginConnection(verifier, handler)
        try:
            while not connection.is_logged_in:
                writer.write(await connection.answer(await _message(reader)))
                await writer.drain()
        except (LoginRefused, ValueError, struct.error, StopIteration, TimeoutError):
            writer.close()
        except (OSError, asyncio.IncompleteReadError):
            writer.close()
        else:
            await serve(reader, writer, handler)

    return enter


async def _message(reader: asyncio.StreamReader) -> bytes:
    header = await reader.readexactly(HEADER.size)
    length = HEADER.unpack(header)[0]
    if not HEADER.size < length <= MESSAGE_BYTES:
        raise LoginRefused
    async with asyncio.timeout(SECONDS):
        return header + await reader.readexactly(length - HEADER.size)


def _with_mechanisms(response: Mapping[str, Any], command: Mapping[str, Any]) -> Reply:
    """Add the login mechanisms to a reply if the driver requested them."""
    is_requested = "saslSupportedMechs" in command
    return {**response, **({"saslSupportedMechs": [MECHANISM]} if is_requested else {})}


def _payload(command: Mapping[str, Any]) -> bytes:
    payload = command.get("payload")
    return bytes(payload) if isinstance(payload, bytes) else b""


def _sasl_reply(payload: bytes, *, done: bool) -> Reply:
    return {"ok": 1.0, "conversationId": 1, "done": done, "payload": Binary(payload)}


def _fields(message: bytes) -> dict[bytes, bytes]:
    pairs = (part.partition(b"=") for part in message.split(b","))
    return {name: value for name, _, value in pairs}


def _mac(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")
