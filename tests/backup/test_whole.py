"""A whole portal: saved while it runs, wiped, put back, the same as before."""

import shutil
from pathlib import Path

import pytest

from tests.e2e.running import Portal
from tests.e2e.system import free_port
from tests.faults.victims import agreed, history
from tests.waiting import until_now

BUILT = 3
SITES = "/api/techdocs/snapshot/checksum"
REF = "component:default/payments"


@pytest.mark.faults
@pytest.mark.timeout(400)
def test_a_portal_is_restored_from_its_backup(tmp_path: Path) -> None:
    """Catalog, docs and search have the same checksums; histories are there."""
    portal = Portal(tmp_path / "data", free_port())
    saved = tmp_path / "saved"
    portal.up()
    try:
        # The portal is ready before the example's documentation is built.
        until_now(lambda: portal.get(SITES)["count"] == BUILT, "the sites")
        before, revisions = agreed(portal), history(portal, REF)
        assert before["catalog"]["count"] > 0
        portal.command("backup", str(saved))
        refused = portal.command("restore", str(saved), expected=1)
        assert refused == ""
        portal.hang_up()
        portal.down()
        for name in ("engines/documents", "engines/servers", "sites", "search"):
            shutil.rmtree(portal.data / name, ignore_errors=True)
        assert "checksums equal" in portal.command("restore", str(saved))
        portal.up()
        assert agreed(portal) == before
        assert history(portal, REF) == revisions
    finally:
        portal.hang_up()
        portal.down()
