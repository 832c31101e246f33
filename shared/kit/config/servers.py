"""The address and credentials of a backing server.

All four servers (event log, documents, index, policy) have the same fields: an address,
a user with a password, and the authority that signed the server's certificate.
"""

import ssl
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Server:
    """An address with its credentials; `repr` leaves the password out.

    `address` has the client's form: `host:port,host:port` for Kafka, a URL for the
    others. A CA or an `https` address implies `tls`.
    """

    address: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: Path | None = None
    tls: bool = False

    @classmethod
    def of(cls, server: "Server | str") -> "Server":
        """Make a server of an address without credentials; return a server as it is."""
        return cls(server) if isinstance(server, str) else server

    @property
    def encrypted(self) -> bool:
        """Whether connections use TLS."""
        return self.tls or self.ca is not None or self.address.startswith("https:")

    def context(self) -> ssl.SSLContext | None:
        """The context that verifies the server's certificate; None without TLS.

        Raises:
            OSError: if the CA file cannot be read; the message names it.
        """
        if not self.encrypted:
            return None
        try:
            return ssl.create_default_context(cafile=str(self.ca) if self.ca else None)
        except OSError as error:  # also raised for a file that is no certificate
            raise OSError(f"No certificates could be read from {self.ca}") from error
