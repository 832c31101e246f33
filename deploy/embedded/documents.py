"""The embedded document store: runs `nx-27017` and ends with its parent process.

Run as `python -m deploy.embedded.documents` with nx-27017's arguments. Clients need the
password in the file `CALLBOARD_DOCUMENTS_PASSWORD_FILE`, if that is set.
"""

import logging
import os
import signal
import threading
from pathlib import Path

from nx_27017 import server
from nx_27017.nx_27017 import main

from deploy.embedded.engines import PASSWORD_FILE
from deploy.embedded.login import with_login

POLL_SECONDS = 1.0


def end_with_parent() -> None:
    """End this process when its parent has ended, so that it does not keep the port."""
    parent = os.getppid()
    timer = threading.Event()

    def watch() -> None:
        while os.getppid() == parent:
            timer.wait(POLL_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="parent").start()


if __name__ == "__main__":
    end_with_parent()
    # It logs every command with its documents, which is costly and leaks data.
    logging.disable(logging.WARNING)
    if file := os.environ.get(PASSWORD_FILE):
        # The server looks this name up for each connection.
        password = Path(file).read_text("utf-8").strip()
        server.handle_client = with_login(server.handle_client, password)
    main()
