"""Writes the hashed requirement files from what each part declares (`make lock`).

A pin stays as it is while it fits; `--upgrade` takes the newest of everything. No file
names a registry. Run with the environment's own Python: it calls `uv`.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / "requirements"
SERVICES = ("catalog", "scaffolder", "techdocs", "search", "gateway")
HEADER = "# Made by `make lock`; do not edit.\n"


def compile_to(
    folder: Path, output: str, *sources: Path, extra: tuple[str, ...] = ()
) -> None:
    """Resolve the sources into `folder/output`, keeping the pins it has."""
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
    """Lock everything into `folder`; a part's file takes its pins from the whole."""
    shared = ROOT / "shared" / "pyproject.toml"
    services = {name: ROOT / "services" / name / "pyproject.toml" for name in SERVICES}
    deploy = ROOT / "deploy" / "pyproject.toml"
    everything = [shared, *services.values(), deploy]
    newest = ("--upgrade",) if upgrade else ()
    development = REQUIREMENTS / "dev.in"
    whole = ("--all-extras", *newest)
    compile_to(folder, "dev.txt", *everything, development, extra=whole)
    pins = ("--constraint", str(folder / "dev.txt"))
    compile_to(folder, "all.txt", *everything, extra=("--all-extras", *pins))
    for name, service in services.items():
        compile_to(folder, f"{name}.txt", shared, service, extra=pins)
    # What the image of the command line holds: it knows the catalog's rules and parses
    # templates as the scaffolder does.
    sources = (shared, services["catalog"], services["scaffolder"], deploy)
    compile_to(folder, "operator.txt", *sources, extra=pins)
    compile_to(folder, "uv.txt", REQUIREMENTS / "uv.in", extra=newest)
    assets = ("--no-deps", *newest)
    compile_to(folder, "assets.txt", REQUIREMENTS / "assets.in", extra=assets)


if __name__ == "__main__":
    lock(REQUIREMENTS, upgrade="--upgrade" in sys.argv[1:])
