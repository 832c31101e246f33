"""No room on the disk: the docs are as good as before, and are built later."""

from services.techdocs.api.dependencies import DocsDependencies
from tests.disk import SmallDisk
from tests.techdocs.installation import SITE, Installation, Running
from tests.waiting import until

REF, NAME = "component:default/box-office", "box-office"


async def tried(techdocs: Running, times: int) -> None:
    """Wait until a build was given up for now so often."""
    dependencies: DocsDependencies = techdocs.app.state.dependencies

    async def result() -> bool:
        record = await dependencies.records.get(REF)
        return record is not None and record.tries >= times

    await until(result, f"{times} tries")


async def test_a_full_disk_postpones_a_build(
    installation: Installation, small_disk: SmallDisk
) -> None:
    """No build failure is published; with room the site is built by itself."""
    installation.host.commit("box", SITE)
    async with installation.start(data=small_disk.folder / "data") as techdocs:
        with small_disk.filled():
            await techdocs.document(NAME)
            await tried(techdocs, 2)
            assert techdocs.published(REF) == []
        first = await techdocs.built(NAME)
        assert first["title"] == "Box office"
        with small_disk.filled():
            # What is published already is read without room, too.
            page = await techdocs.get(f"/pages/default/component/{NAME}/guide")
            assert "xylophone" in page.json()["html"]
            await techdocs.push("box", {"docs/guide.md": "# Guide\n\nNew words.\n"})
            await tried(techdocs, 1)
        await until(lambda: len(techdocs.published(REF)) == 2, "the new site")
        page = await techdocs.get(f"/pages/default/component/{NAME}/guide")
        assert "New words" in page.json()["html"]
        assert (await techdocs.state(NAME))["status"] == "built"
