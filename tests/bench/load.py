"""The public load driver against a portal with a generated catalog."""

import json
import subprocess
import sys
from pathlib import Path

from tests.bench.portal import BenchPortal

SECONDS = "4"


def measure(bench: Path, size: int, folder: Path, port: int, engines: str) -> None:
    """Generate `size` entities, load them, ask for them, and print the rows."""
    folder.mkdir(parents=True)
    catalog = folder / "catalog"
    generate = [sys.executable, str(bench / "gen_catalog.py"), str(size), str(catalog)]
    subprocess.run(generate, check=True, capture_output=True)
    portal = BenchPortal(folder / "data", port, "empty", engines)
    portal.up()
    try:
        command = [sys.executable, str(bench / "bench_api.py"), "--base", portal.url]
        command += [
            "--token",
            portal.token,
            "--manifest",
            str(catalog / "manifest.json"),
        ]
        command += ["--register", f"file:{catalog / 'all.yaml'}", "--dur", SECONDS]
        command += ["--pid", str(portal.pids["supervisor"])]
        command += ["--out", str(folder / "result.json")]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        tell(size, json.loads((folder / "result.json").read_text()))
    finally:
        portal.down()


def tell(size: int, result: dict[str, object]) -> None:
    """One line a figure, in the order of measurement."""
    print(f"--- {size} entities")
    for name, value in result.items():
        if isinstance(value, dict) and "rps" in value:
            rate, middle, late = value["rps"], value["p50_ms"], value["p99_ms"]
            print(f"{name:32} {rate:8} /s   p50 {middle} ms   p99 {late} ms")
        elif name not in {"ingest_trace", "base", "n"}:
            print(f"{name:32} {json.dumps(value)}")
