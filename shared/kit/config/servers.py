"""Where a backing server answers, and how a service proves itself there.

One shape for all four (event log, documents, index, policy), so that their clients ask
for the same things: an address, a user with a password, and the authority that signed
the server's certificate.
"""

import ssl
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Server:
    """An address with its credentials; the password shows in no text of it.

    `address` is the client's own form: `host:port,host:port` for Kafka, a URL for the
    others. `tls` is on where a CA is given or the address asks for it.
    """

    address: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: Path | None = None
    tls: bool = False

    @classmethod
    def of(cls, given: "Server | str") -> "Server":
        """A bare address is a server that asks for nothing."""
        return cls(given) if isinstance(given, str) else given

    @property
    def encrypted(self) -> bool:
        """Whether the connection is to be TLS."""
        return self.tls or self.ca is not None or self.address.startswith("https:")

    def context(self) -> ssl.SSLContext | None:
        """What checks the server's certificate; None for a plain connection.

        Raises:
            OSError: if the CA file cannot be read; the message names it.
        """
        if not self.encrypted:
            return None
        try:
            return ssl.create_default_context(cafile=str(self.ca) if self.ca else None)
        except OSError as error:  # of a file that is no certificate too
            raise OSError(f"No certificates could be read from {self.ca}") from error
