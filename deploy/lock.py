"""Writes the hashed requirement files from what each part declares (`make lock`).

No file names a registry. Run with the environment's own Python: it calls `uv`.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / "requirements"
SERVICES = ("catalog", "scaffolder", "techdocs", "search", "gateway")
HEADER = "# Made by `make lock`; do not edit.\n"


def compile_to(output: str, *sources: Path, extra: tuple[str, ...] = ()) -> None:
    """Resolve the sources into one file, with the newest file's pins as constraints."""
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
        *extra,
        *(str(source.relative_to(ROOT)) for source in sources),
    ]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    (REQUIREMENTS / output).write_text(HEADER + done.stdout)
    print(f"requirements/{output}")


def main() -> None:
    """Lock everything; a service's file takes its pins from the whole."""
    shared = ROOT / "shared" / "pyproject.toml"
    services = [ROOT / "services" / name / "pyproject.toml" for name in SERVICES]
    deploy = ROOT / "deploy" / "pyproject.toml"
    everything = [shared, *services, deploy]
    compile_to("dev.txt", *everything, REQUIREMENTS / "dev.in")
    pins = ("--constraint", "requirements/dev.txt")
    compile_to("all.txt", *everything, extra=pins)
    for name, service in zip(SERVICES, services, strict=True):
        compile_to(f"{name}.txt", shared, service, extra=pins)
    compile_to("uv.txt", REQUIREMENTS / "uv.in")
    compile_to("assets.txt", REQUIREMENTS / "assets.in", extra=("--no-deps",))


if __name__ == "__main__":
    sys.exit(main())
