"""Makes a certificate authority for one installation and a server's certificate.

Run as `python -m deploy.certificates FOLDER NAME [--owner UID]`: makes `ca.pem`,
`NAME.pem` and `NAME-key.pem` if they are missing or expire soon. The authority's key is
not stored, so it can sign no other server. Not for servers that the public connects to.
"""

import argparse
import ipaddress
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALIDITY = timedelta(days=3650)
#: A certificate that expires within this time is replaced at the next start.
RENEWAL_MARGIN = timedelta(days=60)
ORGANIZATION = "Callboard"


def ensure(folder: Path, name: str, *, owner: int | None = None) -> bool:
    """Make the three files unless they are valid for a while; whether they were made.

    `owner` is the user id that owns the key file, which no other user may read.
    """
    certificate = folder / f"{name}.pem"
    if (folder / f"{name}-key.pem").exists() and _is_valid(certificate):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _authority(authority_key)
    key = ec.generate_private_key(ec.SECP256R1())
    signed = _server(name, key, authority, authority_key)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _write(folder / f"{name}-key.pem", pem, 0o600, owner)
    _write(folder / "ca.pem", authority.public_bytes(serialization.Encoding.PEM), 0o644)
    # Written last: its existence shows that the other files are complete.
    _write(certificate, signed.public_bytes(serialization.Encoding.PEM), 0o644)
    return True


def _is_valid(certificate: Path) -> bool:
    try:
        loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
    except FileNotFoundError:
        return False
    return loaded.not_valid_after_utc - datetime.now(UTC) > RENEWAL_MARGIN


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = _subject_name("callboard-authority")
    return (
        _certificate_builder(name, key, name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _server(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    names = x509.SubjectAlternativeName(
        [
            x509.DNSName(name),
            x509.DNSName("localhost"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        ]
    )
    # Servers of a cluster connect to each other with the same certificate.
    key_usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(
        authority_key.public_key()
    )
    return (
        _certificate_builder(_subject_name(name), key, authority.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(key_usages), critical=False)
        .add_extension(names, critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _certificate_builder(
    name: x509.Name, key: ec.EllipticCurvePrivateKey, issuer: x509.Name
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Clocks may differ.
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + VALIDITY)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _subject_name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _write(path: Path, data: bytes, mode: int, owner: int | None = None) -> None:
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as out:
        # Set explicitly, because the process' umask applies to `os.open`.
        os.fchmod(handle, mode)
        out.write(data)
        if owner is not None:
            os.fchown(handle, owner, -1)
    new.replace(path)


def main() -> int:
    """Parse the arguments, make missing files, print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("name")
    parser.add_argument("--owner", type=int, default=None)
    arguments = parser.parse_args()
    is_new = ensure(arguments.folder, arguments.name, owner=arguments.owner)
    outcome = "made" if is_new else "kept"
    print(f"{arguments.name}: certificate {outcome} in {arguments.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
