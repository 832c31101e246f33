"""The key pairs that sign user tokens: stored in a folder and rotated.

A key signs for `rotation_seconds` and stays published while a token may live after
that, so that its last signatures can be verified (RFC 7517 for the published form).
"""

import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

ALGORITHM = "ES256"
#: A change of the folder within the same clock tick may not change its time.
SETTLED_NS = 1_000_000_000
ROTATION_SECONDS = 30 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One P-256 pair; `created` is in seconds since the epoch."""

    kid: str
    created: float
    private: ec.EllipticCurvePrivateKey

    def jwk(self) -> dict[str, str]:
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
        self._keep_seconds = keep_seconds
        self._rotation_seconds = rotation_seconds
        self._clock = clock
        self._keys: dict[str, SigningKey] = {}
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.reload()

    def reload(self) -> None:
        """Read the folder again."""
        modified = self._modified_ns()
        is_settled = time.time_ns() - modified > SETTLED_NS
        self._loaded_ns = modified if is_settled else 0
        self._keys = {
            key.kid: key
            for key in (_read(file) for file in sorted(self._folder.glob("*.pem")))
            if self._clock() - key.created < self._rotation_seconds + self._keep_seconds
        }

    def signing(self) -> SigningKey:
        """The key that signs now; a new one if the newest is too old."""
        newest = max(self._keys.values(), key=lambda key: key.created, default=None)
        if newest is None or self._clock() - newest.created >= self._rotation_seconds:
            return self.rotate()
        return newest

    def rotate(self) -> SigningKey:
        """Create the key that signs from now on; the others still verify."""
        key = SigningKey(
            str(uuid.uuid4()), self._clock(), ec.generate_private_key(ec.SECP256R1())
        )
        _write(self._folder, key)
        self._keys[key.kid] = key
        self._discard_old()
        return key

    def find(self, kid: str) -> SigningKey | None:
        """The key with this id, or None.

        For an unknown id a changed folder is read again, because another gateway may
        have created the key. A guessed id costs no more than one `stat`.
        """
        if kid not in self._keys and self._modified_ns() != self._loaded_ns:
            self.reload()
        return self._keys.get(kid)

    def _modified_ns(self) -> int:
        return self._folder.stat().st_mtime_ns

    def jwks(self) -> list[dict[str, str]]:
        """The published keys, newest first."""
        self.signing()
        ordered = sorted(self._keys.values(), key=lambda key: -key.created)
        return [key.jwk() for key in ordered]

    def _discard_old(self) -> None:
        for key in list(self._keys.values()):
            if (
                self._clock() - key.created
                >= self._rotation_seconds + self._keep_seconds
            ):
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
    # Another process must not read a half-written key: write, then rename.
    temporary = target.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(target)
