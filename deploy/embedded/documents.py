"""The embedded document store: `nx-27017`, ended when whoever started it ends.

Run as `python -m deploy.embedded.documents` with nx-27017's own arguments.
"""

import logging
import os
import signal
import threading

from nx_27017.nx_27017 import main

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
    main()
