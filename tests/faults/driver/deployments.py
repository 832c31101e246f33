"""The deployment for each kind of engines."""

from pathlib import Path

from tests.faults.driver.deployment import Deployment, EmbeddedDeployment
from tests.faults.driver.servers import ServersDeployment


def deployment_of(engines: str, folder: Path) -> Deployment:
    """What faults are done to, not yet up; its state lies in `folder`."""
    if engines == "servers":
        return ServersDeployment(folder)
    return EmbeddedDeployment(folder)
