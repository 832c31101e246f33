"""A Git host over TLS that asks for credentials and serves partial clones."""

import gzip
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

SERVED = ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant", "http.receivepack")


class GitHost:
    """A started host; `requests` are the headers `Authorization` of what was asked."""

    def __init__(self, folder: Path, server: ThreadingHTTPServer) -> None:
        self.folder = folder
        self.name = f"localhost:{server.server_port}"
        self.authority = folder / "authority.pem"
        self.expected: str | None = None
        self.requests: list[tuple[str, str | None]] = []

    def commit(
        self, repository: str, files: dict[str, str], branch: str = "main"
    ) -> str:
        """Push files as a new commit of a branch; the commit's id."""
        bare = self.folder / "repositories" / f"{repository}.git"
        copy = self.folder / "copies" / repository
        if not bare.is_dir():
            git("init", "-q", "--bare", "-b", "main", bare)
            for setting in SERVED:
                git("config", setting, "true", cwd=bare)
            git("init", "-q", "-b", "main", copy)
        git("checkout", "-q", "-B", branch, cwd=copy)
        for name, text in files.items():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_text(text)
        git("add", "--all", "--force", ".", cwd=copy)
        git("commit", "-qm", "Change", cwd=copy)
        git("push", "-q", "--force", bare, f"HEAD:refs/heads/{branch}", cwd=copy)
        return git("rev-parse", "HEAD", cwd=copy)


@contextmanager
def git_host(folder: Path) -> Iterator[GitHost]:
    """A host that ends with the block."""
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.host = GitHost(folder, server)  # type: ignore[attr-defined]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(server.host.authority))  # type: ignore[attr-defined]
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.host  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def git(*arguments: str | Path, cwd: Path | None = None) -> str:
    """What `git` prints, as a user with a name."""
    identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    done = subprocess.run(
        ["git", *identity, *map(str, arguments)],
        cwd=cwd,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        host: GitHost = self.server.host  # type: ignore[attr-defined]
        authorization = self.headers.get("Authorization")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        host.requests.append((self.path, authorization))
        if host.expected is not None and authorization != host.expected:
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self._serve(host, body)

    do_POST = do_GET  # noqa: N815 - the server looks it up by this name

    def _serve(self, host: GitHost, body: bytes) -> None:
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        path, _, query = self.path.partition("?")
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(host.folder / "repositories"),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "reader",
        }
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            env=environment,
            capture_output=True,
            check=True,
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _certificate(place: Path) -> Path:
    """Write a certificate for this machine, which is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=12))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    place.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    both = place.with_name("certificate-and-key.pem")
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    both.write_bytes(place.read_bytes() + private)
    return both
