"""Serves until it is stopped."""

import os
from http.server import ThreadingHTTPServer

from ${{ values.package }}.web import Answers

if __name__ == "__main__":
    port = int(os.environ.get("PORT", "${{ values.port }}"))
    ThreadingHTTPServer(("", port), Answers).serve_forever()
