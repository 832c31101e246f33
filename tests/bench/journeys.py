"""What a person waits for: start, push to visible, push to search, docs, a run."""

import secrets
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.portal import BenchPortal

RUNS = 5
#: How long the processes are left alone before they count as at rest, and measured.
SETTLE_SECONDS = 15.0
IDLE_SECONDS = 30.0
ENTITY = "/api/catalog/entities/by-name/system/default/payments"
TEMPLATE = "template:default/python-service"


def measure(portal: BenchPortal) -> None:
    """Print every figure with its median, smallest and largest."""
    tell("first start, example loaded", [portal.up()], "≤ 90 s with set-up")
    portal.down()
    starts, engines = [], []
    for _ in range(3):
        starts.append(portal.up())
        engines.append(portal.engine_seconds)
        portal.down()
    portal.up()
    tell("start to ready, loaded before", starts, "≤ 6 s, embedded")
    tell("  of it all engines", engines, "–")
    tell("push → visible", times(RUNS, lambda: pushed(portal, "visible")), "≤ 1 s")
    tell("push → search", times(RUNS, lambda: pushed(portal, "search")), "≤ 2 s")
    tell("push → docs", times(3, lambda: pushed(portal, "docs")), "≤ 3 s")
    memory(portal)
    idle(portal)


def times(runs: int, once: Callable[[], float]) -> list[float]:
    return [once() for _ in range(runs)]


def tell(title: str, seconds: list[float], aim: str) -> None:
    middle, least, most = statistics.median(seconds), min(seconds), max(seconds)
    print(
        f"{title:32} {middle:6.2f} s  ({least:.2f}–{most:.2f})  aim {aim}", flush=True
    )


def memory(portal: BenchPortal) -> None:
    """Print resident and proportional megabytes, by process and in all."""
    megabytes = portal.memory()
    for name, (resident, proportional) in megabytes.items():
        print(
            f"  {name:12} {resident:6.0f} MB resident {proportional:6.0f} MB own share"
        )
    resident, proportional = (sum(m[i] for m in megabytes.values()) for i in (0, 1))
    print(
        f"memory of all: {resident:.0f} MB resident, {proportional:.0f} MB proportional"
    )


def idle(portal: BenchPortal) -> None:
    """Print what the processes take of a core at rest."""
    time.sleep(SETTLE_SECONDS)
    shares = portal.idle(IDLE_SECONDS)
    parts = ", ".join(f"{name} {share:.2f}" for name, share in shares.items())
    total = sum(shares.values())
    print(
        f"at rest: {total:.1f} % of a core ({parts})  aim ≤ 4 %, embedded", flush=True
    )


def pushed(portal: BenchPortal, until: str) -> float:
    """Seconds from the start of `git push` until the new word shows."""
    word = f"zq{secrets.token_hex(4)}"
    folder = portal.data / "workshop" / "payments"
    git(folder, "pull", "-q", "--rebase")
    if until == "docs":
        page = folder / "docs" / "index.md"
        page.write_text(page.read_text() + f"\n\nMeasured {word}.\n")
    else:
        describe(folder / "catalog-info.yaml", word)
    git(folder, "commit", "-qam", f"Measure {word}")
    started_at = time.monotonic()
    git(folder, "push", "-q")
    paths = {
        "visible": ENTITY,
        "search": f"/api/search/query?term={word}",
        "docs": "/api/techdocs/pages/default/component/payments/",
    }
    portal.seconds_until(paths[until], word)
    return time.monotonic() - started_at


def describe(path: Path, word: str) -> None:
    """Put a word at the end of the first description."""
    lines = path.read_text().splitlines()
    at = next(n for n, line in enumerate(lines) if "description:" in line)
    lines[at] = f"  description: Takes payments for every ticket ({word})"
    path.write_text("\n".join(lines) + "\n")


def git(folder: Path, *arguments: str) -> None:
    command = ["git", "-C", str(folder), *arguments]
    subprocess.run(command, check=True, capture_output=True, text=True)
