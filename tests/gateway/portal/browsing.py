"""Looking at pages in a real browser: sizes of screens, and axe's rules."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import axe_core_python

AXE = Path(axe_core_python.__file__).with_name("axe.min.js")
WIDE, NARROW = (1440, 900), (390, 844)
BOOKING = "/catalog/default/component/booking"
Open = Callable[..., Any]


def violations(page: Any) -> list[str]:
    page.add_script_tag(path=str(AXE)) if not page.evaluate("'axe' in window") else None
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
        for each in found["violations"]
        for node in each["nodes"]
    ]
