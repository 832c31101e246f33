"""A login for the embedded document store, which has none of its own.

Until a connection has proved that it knows the password (SCRAM-SHA-256, RFC 7677), it
may ask who the server is, and nothing else. Every process of this machine can reach the
port; only those that may read the password's file get further.
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
#: Nothing that is said before a login is longer.
LONGEST = 64 * 1024
#: So long a connection may take to say the whole of what it has begun to say.
SECONDS = 20.0
#: What a driver asks before it knows whether to log in, and to see who is there.
OPEN = frozenset({"hello", "ismaster", "isMaster", "ping", "buildInfo", "buildinfo"})
UNAUTHORIZED = {"ok": 0.0, "code": 13, "codeName": "Unauthorized"}
FAILED = {"ok": 0.0, "code": 18, "codeName": "AuthenticationFailed"}

Reply = dict[str, Any]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter, Any], Awaitable[None]]


class LoginRefused(Exception):
    """The other side does not know the password, or not the protocol."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """What a password is checked with; it is not in here."""

    salt: bytes
    stored_key: bytes
    server_key: bytes

    @classmethod
    def of(cls, password: str) -> "Verifier":
        """Made once: it costs some milliseconds."""
        salt = secrets.token_bytes(16)
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
        client_key = _mac(salted, b"Client Key")
        stored_key = hashlib.sha256(client_key).digest()
        return cls(salt, stored_key, _mac(salted, b"Server Key"))


class Exchange:
    """One login: two messages of each side."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self._said = b""
        self._nonce = b""

    def first(self, message: bytes) -> bytes:
        """The answer to the client's first message.

        Raises:
            Refused: if it is none, or of another user.
        """
        bare = message.removeprefix(b"n,,")
        fields = _fields(bare)
        if bare == message or fields.get(b"n") != USER.encode() or b"r" not in fields:
            raise LoginRefused
        self._nonce = fields[b"r"] + base64.b64encode(secrets.token_bytes(18))
        salt = base64.b64encode(self._verifier.salt)
        answer = b"r=%b,s=%b,i=%d" % (self._nonce, salt, ITERATIONS)
        self._said = bare + b"," + answer
        return answer

    def last(self, message: bytes) -> bytes:
        """The answer to the client's proof.

        Raises:
            Refused: if it proves nothing.
        """
        fields = _fields(message)
        bare, _, _ = message.rpartition(b",p=")
        if not self._nonce or fields.get(b"r") != self._nonce:
            raise LoginRefused
        said = self._said + b"," + bare
        try:
            proof = base64.b64decode(fields.get(b"p", b""), validate=True)
        except ValueError as error:
            raise LoginRefused from error
        signature = _mac(self._verifier.stored_key, said)
        if len(proof) != len(signature):
            raise LoginRefused
        key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
        if not hmac.compare_digest(
            hashlib.sha256(key).digest(), self._verifier.stored_key
        ):
            raise LoginRefused
        return b"v=" + base64.b64encode(_mac(self._verifier.server_key, said))


class Door:
    """The conversation of one connection until it has logged in."""

    def __init__(self, verifier: Verifier, handler: Any) -> None:
        self._verifier = verifier
        self._handler = handler
        self._exchange: Exchange | None = None
        self.is_open = False

    async def answer(self, message: bytes) -> bytes:
        """What is answered to one message of the wire protocol.

        Raises:
            Refused: if it is not one that may be sent here.
            ValueError: if it is malformed.
        """
        _, number, _, kind = HEADER.unpack_from(message)
        if kind == WireProtocol.OP_QUERY:
            asked = OP_QUERY.parse(message)
            return await self._old_hello(asked, number)
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
            reply = self._proceed(command)
        elif name in OPEN:
            _, found = await asyncio.to_thread(self._handler.handle_command, parsed)
            reply = _with_mechanisms(found, command)
        else:
            reply = {**UNAUTHORIZED, "errmsg": f"{name} requires authentication"}
        built: bytes = ResponseBuilder.build_op_msg_reply(0, number, reply)
        return built

    async def _old_hello(self, asked: dict[str, Any], number: int) -> bytes:
        """A driver's very first question is in the protocol's older form."""
        query = asked.get("query") or {}
        if not query or next(iter(query)) not in OPEN:
            raise LoginRefused
        _, found = await asyncio.to_thread(self._handler.handle_query, asked)
        documents = [_with_mechanisms(document, query) for document in found]
        built: bytes = ResponseBuilder.build_reply(0, number, documents)
        return built

    def _start(self, command: Mapping[str, Any]) -> Reply:
        if command.get("mechanism") != MECHANISM:
            return self._failed()
        self._exchange = Exchange(self._verifier)
        try:
            payload = self._exchange.first(_payload(command))
        except LoginRefused:
            return self._failed()
        return _step(payload, done=False)

    def _proceed(self, command: Mapping[str, Any]) -> Reply:
        if self._exchange is None:
            return self._failed()
        try:
            payload = self._exchange.last(_payload(command))
        except LoginRefused:
            return self._failed()
        self.is_open = True
        return _step(payload, done=True)

    def _failed(self) -> Reply:
        self._exchange = None
        return {**FAILED, "errmsg": "Authentication failed."}


def guarded(serve: Serve, password: str) -> Serve:
    """`serve` for connections that have logged in."""
    verifier = Verifier.of(password)

    async def enter(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Any
    ) -> None:
        door = Door(verifier, handler)
        try:
            while not door.is_open:
                writer.write(await door.answer(await _message(reader)))
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
    if not HEADER.size < length <= LONGEST:
        raise LoginRefused
    async with asyncio.timeout(SECONDS):
        return header + await reader.readexactly(length - HEADER.size)


def _with_mechanisms(found: Mapping[str, Any], command: Mapping[str, Any]) -> Reply:
    """Drivers ask in their first question by which mechanism to log in."""
    asked = "saslSupportedMechs" in command
    return {**found, **({"saslSupportedMechs": [MECHANISM]} if asked else {})}


def _payload(command: Mapping[str, Any]) -> bytes:
    payload = command.get("payload")
    return bytes(payload) if isinstance(payload, bytes) else b""


def _step(payload: bytes, *, done: bool) -> Reply:
    return {"ok": 1.0, "conversationId": 1, "done": done, "payload": Binary(payload)}


def _fields(message: bytes) -> dict[bytes, bytes]:
    pairs = (part.partition(b"=") for part in message.split(b","))
    return {name: value for name, _, value in pairs}


def _mac(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")
