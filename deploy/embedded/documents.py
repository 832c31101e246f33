"""The embedded document store: `nx-27017`, ended when whoever started it ends.

Run as `python -m deploy.embedded.documents` with nx-27017's own arguments. It asks for
the password in the file that `CALLBOARD_DOCUMENTS_PASSWORD_FILE` names, if one is.
"""

import logging
import os
import signal
import threading
from pathlib import Path

from nx_27017 import server
from nx_27017.nx_27017 import main

from deploy.embedded.engines import PASSWORD_FILE
from deploy.embedded.login import guarded

POLL_SECONDS = 1.0


def end_with_parent() -> None:
    """Ask this process to end once its parent is gone: no orphan keeps the port."""
    parent = os.getppid()
    gone = threading.Event()

    def watch() -> None:
        while os.getppid() == parent:
            gone.wait(POLL_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="parent").start()


if __name__ == "__main__":
    end_with_parent()
    # It tells every command with its documents: costly, and nobody's business.
    logging.disable(logging.WARNING)
    if file := os.environ.get(PASSWORD_FILE):
        # What serves a connection is looked up there when one comes.
        password = Path(file).read_text("utf-8").strip()
        server.handle_client = guarded(server.handle_client, password)
    main()
