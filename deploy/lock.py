"""Writes the hashed requirement files from each part's dependencies (`make lock`).

Pins that still satisfy the dependencies stay; `--upgrade` takes the newest versions. No
file names a registry. It calls `uv`, so run it with the environment's Python.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / "requirements"
SERVICES = (
    "catalog",
    "scaffolder",
    "techdocs",
    "search",
    "analytics",
    "portal",
    "gateway",
)
HEADER = "# Made by `make lock`; do not edit.\n"


def compile_to(
    folder: Path, output: str, *sources: Path, extra: tuple[str, ...] = ()
) -> None:
    """Resolve the sources into `folder/output`; existing pins stay."""
    file = folder / output
    command = [
        "uv",
        "pip",
        "compile",
        "--quiet",
        "--universal",
        "--generate-hashes",
        "--no-header",
        "--no-annotate",
        "--no-emit-index-url",
        "--python-version",
        "3.11",
        "--output-file",
        str(file),
        *extra,
        *(str(source.relative_to(ROOT)) for source in sources),
    ]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    file.write_text(HEADER + file.read_text())
    print(f"requirements/{output}", flush=True)


def lock(folder: Path, *, upgrade: bool = False) -> None:
    """Lock everything into `folder`; parts take their pins from the common file."""
    shared = ROOT / "shared" / "pyproject.toml"
    services = {name: ROOT / "services" / name / "pyproject.toml" for name in SERVICES}
    deploy = ROOT / "deploy" / "pyproject.toml"
    everything = [shared, *services.values(), deploy]
    upgrade_option = ("--upgrade",) if upgrade else ()
    development = REQUIREMENTS / "dev.in"
    all_extras = ("--all-extras", *upgrade_option)
    compile_to(folder, "dev.txt", *everything, development, extra=all_extras)
    pins = ("--constraint", str(folder / "dev.txt"))
    compile_to(folder, "all.txt", *everything, extra=("--all-extras", *pins))
    for name, service in services.items():
        compile_to(folder, f"{name}.txt", shared, service, extra=pins)
    # The command line's image has the catalog's rules and the scaffolder's parser.
    sources = (shared, services["catalog"], services["scaffolder"], deploy)
    compile_to(folder, "operator.txt", *sources, extra=pins)
    compile_to(folder, "uv.txt", REQUIREMENTS / "uv.in", extra=upgrade_option)
    assets = ("--no-deps", *upgrade_option)
    compile_to(folder, "assets.txt", REQUIREMENTS / "assets.in", extra=assets)


if __name__ == "__main__":
    lock(REQUIREMENTS, upgrade="--upgrade" in sys.argv[1:])
