"""A certificate authority of one installation, and a server's certificate by it.

Run as `python -m deploy.certificates FOLDER NAME [--owner UID]`: makes `ca.pem`,
`NAME.pem` and `NAME-key.pem` where they are missing or soon too old. The authority's
key is thrown away: nobody can sign another server. Not for what the public looks at.
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

VALID = timedelta(days=3650)
#: Replaced at the first start within so long of its end.
RENEWED_BEFORE = timedelta(days=60)
ORGANIZATION = "Callboard"


def ensure(folder: Path, name: str, *, owner: int | None = None) -> bool:
    """Make the three files unless they are good for a while; whether it did.

    `owner` is the user id that gets the key, which nobody else may read.
    """
    certificate = folder / f"{name}.pem"
    if (folder / f"{name}-key.pem").exists() and _good(certificate):
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
    # Last: it says that the others are there.
    _write(certificate, signed.public_bytes(serialization.Encoding.PEM), 0o644)
    return True


def _good(certificate: Path) -> bool:
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
    except FileNotFoundError:
        return False
    return found.not_valid_after_utc - datetime.now(UTC) > RENEWED_BEFORE


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = _named("callboard-authority")
    return (
        _begun(name, key, name)
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
    # Servers of one kind speak to each other: then it is a client's certificate too.
    uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(
        authority_key.public_key()
    )
    return (
        _begun(_named(name), key, authority.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .add_extension(names, critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _begun(
    name: x509.Name, key: ec.EllipticCurvePrivateKey, issuer: x509.Name
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Clocks differ by a little.
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + VALID)
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


def _named(common: str) -> x509.Name:
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
        # Whatever the process' mask is.
        os.fchmod(handle, mode)
        out.write(data)
        if owner is not None:
            os.fchown(handle, owner, -1)
    new.replace(path)


def main() -> int:
    """Parse the arguments, make what is missing, say so."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("name")
    parser.add_argument("--owner", type=int, default=None)
    given = parser.parse_args()
    made = ensure(given.folder, given.name, owner=given.owner)
    print(f"{given.name}: certificate {'made' if made else 'kept'} in {given.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
