"""Makes an authority, a certificate and a password for a secured server of a test.

They are valid for 127.0.0.1, stored in the given folder, and only for tests.
"""

import datetime as dt
import ipaddress
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deploy.engines.processes import secret_file
from shared.kit.config.servers import Server

DAYS = 365
USER = "callboard"


@dataclass(frozen=True, slots=True)
class ServerSecurity:
    """The certificate of a secured server, and its user and password."""

    user: str
    password: str = field(repr=False)
    #: The authority's certificate, for clients.
    ca: Path
    certificate: Path
    key: Path

    def server(self, address: str, *, user: bool = True) -> Server:
        """Address and credentials for clients of the secured server."""
        user_name = self.user if user else None
        return Server(address, user_name, self.password, self.ca, tls=True)


def guard(folder: Path) -> ServerSecurity:
    """The certificates and password of a folder; made at the first call."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    names = ("ca.pem", "server.pem", "server.key", "password")
    ca, certificate, key, password = (folder / name for name in names)
    if not password.is_file():
        _certificates(ca, certificate, key)
        secret_file(password, secrets.token_hex(24))
    return ServerSecurity(USER, password.read_text(), ca, certificate, key)


def _certificates(ca: Path, certificate: Path, key: Path) -> None:
    authority, server_key = _new_key(), _new_key()
    issuer = _name("Callboard test authority")
    ca_certificate = (
        _certificate_builder(issuer, issuer, authority.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(_identifier(authority), critical=False)
        .sign(authority, hashes.SHA256())
    )
    addresses = [
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.DNSName("localhost"),
    ]
    server_auth = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    authority_identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(
        authority.public_key()
    )
    server_certificate = (
        _certificate_builder(_name("127.0.0.1"), issuer, server_key.public_key())
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(server_auth, critical=False)
        .add_extension(_identifier(server_key), critical=False)
        .add_extension(authority_identifier, critical=False)
        .sign(authority, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    ca.write_bytes(ca_certificate.public_bytes(pem))
    certificate.write_bytes(server_certificate.public_bytes(pem))
    plain = server_key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    secret_file(key, plain.decode())


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _identifier(key: ec.EllipticCurvePrivateKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def _certificate_builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=DAYS))
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )
