"""Sees to it that the browser tests find a Chromium, or says that they will not run.

Debian's package is installed where that is possible; elsewhere `CALLBOARD_CHROMIUM`
may name one.
"""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 240


def find() -> str | None:
    """The browser's path, if there is one."""
    given = os.environ.get("CALLBOARD_CHROMIUM")
    return given or next((p for n in NAMES if (p := shutil.which(n))), None)


def install() -> None:
    """Install Debian's chromium; needs root and apt."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return
    print("Installing Debian's chromium for the browser tests …", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["update"],
        ["install", "-y", "--no-install-recommends", "chromium"],
    ):
        subprocess.run(
            ["apt-get", "-qq", *command],
            env=environment,
            check=False,
            stdout=subprocess.DEVNULL,
            timeout=SECONDS,
        )


def main() -> int:
    """Find or install it; never a failure, but always a word."""
    if find() is None:
        install()
    found = find()
    if found is None:
        print("BROWSER TESTS WILL BE SKIPPED: there is no chromium, and none could be")
        print("installed. Install it, or set CALLBOARD_CHROMIUM to its path.")
    else:
        print(f"Browser tests use {found}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
