"""`make conform`: replays a Backstage's recorded answers against a fresh portal.

The recordings are not part of this repository: `CALLBOARD_GOLDEN` names their folder
(default: `../shared/golden`), which holds `conform.py`, `pairs/` and `inputs/`.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CALLBOARD = Path(sys.prefix) / "bin" / "callboard"
PORT = os.environ.get("CALLBOARD_CONFORM_PORT", "17017")


def main(arguments: list[str]) -> int:
    """Start a portal with the recordings' seed, compare, stop it."""
    golden = Path(os.environ.get("CALLBOARD_GOLDEN", ROOT.parent / "shared" / "golden"))
    if not (golden / "conform.py").is_file():
        print(f"There are no recorded answers at {golden}: nothing was compared.")
        print("Set CALLBOARD_GOLDEN to the folder that holds conform.py and pairs/.")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        data_option = ["--data", str(data)]
        options = [*data_option, "--port", PORT, "--example", "golden", "--detach"]
        environment = {**os.environ, "CALLBOARD_GOLDEN": str(golden.resolve())}
        subprocess.run([CALLBOARD, "up", *options], check=True, env=environment)
        try:
            token = (data / "token").read_text().strip()
            base = ["--base", f"http://127.0.0.1:{PORT}", "--token", token]
            command = [sys.executable, str(golden / "conform.py"), *base, *arguments]
            return subprocess.run(command, check=False).returncode
        finally:
            subprocess.run([CALLBOARD, "down", *data_option], check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
