"""Which house stands on which engines."""

from pathlib import Path

from tests.faults.driver.house import EmbeddedHouse, House
from tests.faults.driver.servers import ServersHouse


def house_of(engines: str, folder: Path) -> House:
    """The house to be ill-treated, not yet up; its state lies in `folder`."""
    if engines == "servers":
        return ServersHouse(folder)
    return EmbeddedHouse(folder)
