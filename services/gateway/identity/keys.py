"""The key pairs that sign user tokens: kept in a folder, replaced before they are old.

A key signs for `rotation` and is published for as long again as a token may live, so
that what it signed last stays verifiable (RFC 7517 for the published form).
"""

import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

ALGORITHM = "ES256"
SETTLED_NS = 1_000_000_000
ROTATION_SECONDS = 30 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One P-256 pair; `created` is in seconds since the epoch."""

    kid: str
    created: float
    private: ec.EllipticCurvePrivateKey

    def jwk(self) -> dict[str, Any]:
        """The public half as published."""
        public = jwt.algorithms.ECAlgorithm.to_jwk(
            self.private.public_key(), as_dict=True
        )
        return {**public, "kid": self.kid, "alg": ALGORITHM}


class KeyRing:
    """All keys of one installation, by their id; the newest signs."""

    def __init__(
        self,
        folder: Path,
        *,
        keep_seconds: float,
        rotation_seconds: float = ROTATION_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._keep = keep_seconds
        self._rotation = rotation_seconds
        self._clock = clock
        self._keys: dict[str, SigningKey] = {}
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.reload()

    def reload(self) -> None:
        """Reads the folder again."""
        changed = self._changed()
        # A date is coarse: what was changed just now may be changed again within it.
        settled = time.time_ns() - changed > SETTLED_NS
        self._read = changed if settled else 0
        self._keys = {
            key.kid: key
            for key in (_read(file) for file in sorted(self._folder.glob("*.pem")))
            if self._clock() - key.created < self._rotation + self._keep
        }

    def signing(self) -> SigningKey:
        """The key that signs now; makes one when the newest is due."""
        newest = max(self._keys.values(), key=lambda key: key.created, default=None)
        if newest is None or self._clock() - newest.created >= self._rotation:
            return self.rotate()
        return newest

    def rotate(self) -> SigningKey:
        """A fresh key signs from now on; the others go on verifying for a while."""
        key = SigningKey(
            str(uuid.uuid4()), self._clock(), ec.generate_private_key(ec.SECP256R1())
        )
        _write(self._folder, key)
        self._keys[key.kid] = key
        self._discard_old()
        return key

    def find(self, kid: str) -> SigningKey | None:
        """The key with this id, unless its time is over.

        Of an unknown id the folder is read, if it was changed: another gateway may
        have made the key; and who guesses ids costs no more than a look at its date.
        """
        if kid not in self._keys and self._changed() != self._read:
            self.reload()
        return self._keys.get(kid)

    def _changed(self) -> int:
        return self._folder.stat().st_mtime_ns

    def jwks(self) -> dict[str, Any]:
        """The published set, newest first."""
        self.signing()
        ordered = sorted(self._keys.values(), key=lambda key: -key.created)
        return {"keys": [key.jwk() for key in ordered]}

    def _discard_old(self) -> None:
        for key in list(self._keys.values()):
            if self._clock() - key.created >= self._rotation + self._keep:
                del self._keys[key.kid]
                _file(self._folder, key).unlink(missing_ok=True)


def _file(folder: Path, key: SigningKey) -> Path:
    return folder / f"{int(key.created * 1000)}_{key.kid}.pem"


def _read(file: Path) -> SigningKey:
    created, _, kid = file.stem.partition("_")
    private = serialization.load_pem_private_key(file.read_bytes(), password=None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{file.name} is no elliptic-curve key")
    return SigningKey(kid, int(created) / 1000, private)


def _write(folder: Path, key: SigningKey) -> None:
    pem = key.private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    target = _file(folder, key)
    # A half-written key must never be found: written aside, then named.
    aside = target.with_suffix(".new")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    aside.rename(target)
