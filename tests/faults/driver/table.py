"""The table that a run prints."""

from collections import defaultdict
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.faults.driver.run import Outcome

MAX_ITEMS = 20


def show(outcome: Outcome, out: Console) -> None:
    """Operations, faults by kind, time to recover, lost, doubled."""
    ledger = outcome.ledger
    out.print(f"Seed {outcome.seed}, {outcome.seconds:.0f} s with the verdict")
    operations = Table("operation", "done", "refused (503)", "no answer")
    for kind in sorted({kind for kind, _ in ledger.operations}):
        counts = [ledger.operations[kind, end] for end in ENDS]
        operations.add_row(kind, *(str(n) for n in counts))
    out.print(operations)
    faults = Table("fault", "times", "recovered: median", "max", "not seen again")
    for kind, seconds in sorted(_recoveries(outcome).items()):
        recovery_seconds = [s for s in seconds if s is not None]
        cells = (
            [f"{median(recovery_seconds):.2f} s", f"{max(recovery_seconds):.2f} s"]
            if recovery_seconds
            else ["", ""]
        )
        faults.add_row(
            kind, str(len(seconds)), *cells, str(len(seconds) - len(recovery_seconds))
        )
    out.print(faults)
    totals = Table(
        "operations", "faults", "recovery: median", "max", "odd", "lost", "doubled"
    )
    recovery_seconds = [
        fault.seconds for fault in outcome.faults if fault.seconds is not None
    ]
    totals.add_row(
        str(ledger.total()),
        str(len(outcome.faults)),
        f"{median(recovery_seconds):.2f} s" if recovery_seconds else "",
        f"{max(recovery_seconds):.2f} s" if recovery_seconds else "",
        str(len(ledger.odd)),
        str(len(ledger.lost)),
        str(len(ledger.doubled)),
    )
    out.print(totals)
    settled = ", ".join(f"{k} {s:.1f} s" for k, s in outcome.settled.items())
    out.print(f"Settled: {settled}")
    for name in ("lost", "doubled", "odd"):
        for item in getattr(ledger, name)[:MAX_ITEMS]:
            out.print(f"{name}: {item}", markup=False, soft_wrap=True)


ENDS = ("done", "refused", "no answer")


def _recoveries(outcome: Outcome) -> dict[str, list[float | None]]:
    recoveries: dict[str, list[float | None]] = defaultdict(list)
    for fault in outcome.faults:
        recoveries[f"{fault.kind}: {fault.target}"].append(fault.seconds)
    return recoveries
