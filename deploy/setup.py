"""Installs the environment from the hashed lock, and the browser's assets.

Called by `make setup` with the environment's Python: `deploy/setup.py all|dev`, and by
the image of the portal: `deploy/setup.py assets`. It uses only the standard library,
because nothing else is installed yet.
"""

import compileall
import hashlib
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.prefix) / "bin"
VENDOR = ROOT / "services" / "portal" / "assets" / "vendor"
#: The file of an installed package, and the name under which it is served.
ASSETS = {"django_htmx/static/django_htmx/htmx-2.min.js": "htmx.min.js"}
#: Folders of modules that load each other; only their scripts are copied.
MODULES = {"nicegui/elements/mermaid/dist": "mermaid"}
LAUNCHER = """#!{python}
import sys

sys.path.insert(0, {root!r})
from deploy.cli.commands import run

run()
"""


def install(requirements: str) -> None:
    """Install exactly the packages of the file, and check their hashes."""
    print(f"Installing requirements/{requirements} …", flush=True)
    # Compiled now, because otherwise every start takes two seconds longer.
    compiled = "--compile-bytecode"
    _uv("sync", "--require-hashes", compiled, f"requirements/{requirements}")


def install_assets() -> None:
    """Unpack third-party browser files into the portal's vendor folder."""
    with tempfile.TemporaryDirectory() as folder:
        target = ["--target", folder, "--no-deps", "--require-hashes"]
        _uv("install", *target, "-r", "requirements/assets.txt")
        VENDOR.mkdir(parents=True, exist_ok=True)
        for source, name in ASSETS.items():
            shutil.copyfile(Path(folder) / source, VENDOR / name)
            digest = hashlib.sha256((VENDOR / name).read_bytes()).hexdigest()
            print(f"Asset {name} {digest[:12]}", flush=True)
        for source, name in MODULES.items():
            shutil.rmtree(VENDOR / name, ignore_errors=True)
            maps = shutil.ignore_patterns("*.map")
            shutil.copytree(Path(folder) / source, VENDOR / name, ignore=maps)
            count = len(list((VENDOR / name).iterdir()))
            print(f"Asset {name} of {count} modules", flush=True)


def compile_sources() -> None:
    """Compile the portal's code; Python compiles later changes by itself."""
    templates = re.compile(r"/examples/")
    for folder in ("services", "shared", "deploy"):
        compileall.compile_dir(ROOT / folder, rx=templates, quiet=1)


def install_launcher() -> None:
    """Write the `callboard` command to the environment's bin folder."""
    launcher = BIN / "callboard"
    launcher.write_text(LAUNCHER.format(python=BIN / "python", root=str(ROOT)))
    launcher.chmod(launcher.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


def _uv(*arguments: str) -> None:
    environment = {**os.environ, "VIRTUAL_ENV": sys.prefix}
    command = [str(BIN / "uv"), "pip", *arguments, "--quiet"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


def main() -> None:
    """Install the run-time packages, or also those of the tests, or only the assets."""
    if sys.argv[1:] == ["assets"]:
        install_assets()
        return
    requirements = "dev.txt" if sys.argv[1:] == ["dev"] else "all.txt"
    if requirements == "all.txt" and (Path(sys.prefix) / ".ready-dev").exists():
        requirements = "dev.txt"
    install(requirements)
    install_assets()
    install_launcher()
    compile_sources()


if __name__ == "__main__":
    main()
