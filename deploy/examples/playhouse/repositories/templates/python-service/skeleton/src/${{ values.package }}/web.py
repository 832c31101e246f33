"""What the service answers."""

import json
from http.server import BaseHTTPRequestHandler


def answer(path: str) -> tuple[int, dict[str, str]]:
    """Status and body for a path."""
    if path in {"/healthz", "/readyz"}:
        return 200, {"status": "ok"}
    return 404, {"error": f"{path} is not here"}


class Answers(BaseHTTPRequestHandler):
    """Turns `answer` into HTTP."""

    def do_GET(self) -> None:
        status, body = answer(self.path)
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)
