"""Finds or installs a Chromium for the browser tests, or warns that they are skipped.

Debian's package is installed where that is possible; elsewhere `CALLBOARD_CHROMIUM` can
name a browser.
"""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 240


def find_browser() -> str | None:
    """The path of the browser, if one is installed."""
    configured = os.environ.get("CALLBOARD_CHROMIUM")
    return configured or next(
        (path for name in NAMES if (path := shutil.which(name))), None
    )


def install_browser() -> None:
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
    """Find or install the browser and print the result; never fails."""
    if find_browser() is None:
        install_browser()
    path = find_browser()
    if path is None:
        print("BROWSER TESTS WILL BE SKIPPED: there is no chromium, and none could be")
        print("installed. Install it, or set CALLBOARD_CHROMIUM to its path.")
    else:
        print(f"Browser tests use {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
