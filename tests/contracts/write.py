"""Stores the schema of event types that have none yet.

Run as `python -m tests.contracts.write`. An existing schema is never overwritten: it
is what others rely on.
"""

import json
from pathlib import Path

from shared.contracts.events import PAYLOADS

SCHEMAS = Path(__file__).parent / "schemas"


def main() -> None:
    for type_, model in PAYLOADS.items():
        path = SCHEMAS / f"{type_}.json"
        if not path.exists():
            path.write_text(json.dumps(model.model_json_schema(), indent=2) + "\n")
            print(path.name)


if __name__ == "__main__":
    main()
