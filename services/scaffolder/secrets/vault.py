"""Encrypts the secrets of runs, and what steps make of them.

AES-128-CBC with HMAC-SHA256 (Fernet), the key derived from the installation's service
secret with HKDF (RFC 5869), so every process of the installation can resume a run.
"""

import base64
import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.contracts.errors import Invalid

_INFO = b"callboard scaffolder secrets v1"


class FernetVault:
    """The vault of one installation."""

    def __init__(self, service_secret: str) -> None:
        derived = HKDF(SHA256(), length=32, salt=None, info=_INFO)
        key = derived.derive(service_secret.encode())
        self._fernet = Fernet(base64.urlsafe_b64encode(key))

    def seal(self, value: Any) -> str:
        raw = json.dumps(value, separators=(",", ":")).encode()
        return self._fernet.encrypt(raw).decode()

    def open(self, sealed: str) -> Any:
        """The value again.

        Raises:
            Invalid: if it was sealed with another service secret.
        """
        try:
            return json.loads(self._fernet.decrypt(sealed.encode()))
        except InvalidToken as error:
            raise Invalid(
                "secrets: sealed with another service secret, give them again"
            ) from error
