"""The actions on the catalog: written descriptors, fetched entities, locations."""

import pytest
import yaml

from shared.contracts.errors import (
    Invalid,
    NotFound,
)
from shared.guards.yaml_text import load_documents
from tests.builders import component
from tests.scaffolder.workbench import HOST, Bench


async def test_a_written_descriptor_names_its_template(bench: Bench) -> None:
    """The annotation says which template wrote it."""
    await bench.run("catalog:write", entity=component("new"))
    document = yaml.safe_load((bench.workspace.root / "catalog-info.yaml").read_text())
    assert document["metadata"]["annotations"] == {
        "backstage.io/source-template": "template:default/t"
    }
    assert document["spec"] == component("new")["spec"]


async def test_a_written_descriptor_is_valid_in_the_catalog(bench: Bench) -> None:
    """Cost centres, commits and dates stay texts, in the catalog and in old readers."""
    entity = component("written")
    labels = {
        "acme.example/cost-centre": "0071",
        "acme.example/commit": "4417e12",
        "acme.example/mode": "0o644",
        "acme.example/opened": "2023-02-30",
        "acme.example/at": "7:45",
        "acme.example/answer": "no",
        "acme.example/x": "=",
    }
    entity["metadata"]["annotations"] = labels
    await bench.run("catalog:write", entity=entity)
    written = (bench.workspace.root / "catalog-info.yaml").read_bytes()
    [read] = load_documents(written)
    envelope = read["metadata"]["annotations"]
    assert {key: envelope[key] for key in labels} == labels
    assert yaml.safe_load(written) == read


async def test_entities_are_fetched(bench: Bench) -> None:
    """One or several; missing ones are an error unless optional."""
    bench.catalog.add(component("web"))
    output = await bench.run("catalog:fetch", entityRef="web", defaultKind="component")
    assert output["entity"]["metadata"]["name"] == "web"
    refs = ["component:default/web", "component:default/no"]
    outputs = await bench.run("catalog:fetch", entityRefs=refs, optional=True)
    assert [
        entity and entity["metadata"]["name"] for entity in outputs["entities"]
    ] == [
        "web",
        None,
    ]
    with pytest.raises(NotFound, match="component:default/no"):
        await bench.run("catalog:fetch", entityRefs=refs)
    with pytest.raises(Invalid, match="Missing entity reference"):
        await bench.run("catalog:fetch")


async def test_registering_a_location_twice_is_no_error(bench: Bench) -> None:
    """The existing location is the result."""
    url = f"https://{HOST}/new/tree/main/catalog-info.yaml"
    bench.catalog.locations[url] = [component("new")]
    for _ in range(2):
        outputs = await bench.run(
            "catalog:register", repoContentsUrl=f"https://{HOST}/new/tree/main"
        )
        assert outputs == {"catalogInfoUrl": url, "entityRef": "component:default/new"}
    assert bench.catalog.registered == [url]
    with pytest.raises(Invalid, match="outside"):
        await bench.run(
            "catalog:register", repoContentsUrl="https://x", catalogInfoPath="../../x"
        )


async def test_an_address_with_a_password_is_not_registered(bench: Bench) -> None:
    """Neither the log nor the message repeats it."""
    with pytest.raises(Invalid, match="catalogInfoUrl: must not hold a password"):
        await bench.run(
            "catalog:register", catalogInfoUrl=f"https://ben:hunter2@{HOST}/a.yaml"
        )
    assert bench.catalog.registered == []
    assert "hunter2" not in str(bench.lines)


@pytest.mark.parametrize(
    ("root", "url"),
    [
        ("https://g/o/r/tree/main/", "https://g/o/r/tree/main/catalog-info.yaml"),
        (
            "https://b/projects/P/repos/r/browse?at=refs%2Fheads%2Fdev",
            "https://b/projects/P/repos/r/browse/catalog-info.yaml?at=refs%2Fheads%2Fdev",
        ),
        (
            "https://dev.azure.com/o/p/_git/r?path=/&version=GBa%2Fb",
            "https://dev.azure.com/o/p/_git/r?path=/catalog-info.yaml&version=GBa/b",
        ),
        (
            "https://dev.azure.com/o/My%20P/_git/r?path=/apps/x",
            "https://dev.azure.com/o/My%20P/_git/r?path=/apps/x/catalog-info.yaml",
        ),
    ],
)
async def test_a_file_of_a_published_repository_keeps_its_branch(
    bench: Bench, root: str, url: str
) -> None:
    """Where a host writes the branch or the path as an argument."""
    step_input = {"repoContentsUrl": root, "optional": True}
    outputs = await bench.run("catalog:register", **step_input)
    assert outputs["catalogInfoUrl"] == url


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ([1], "entity.metadata"),
        ("x", "entity.metadata"),
        ({"annotations": "x"}, "entity.metadata.annotations"),
        ({"annotations": [["a", "b"]]}, "entity.metadata.annotations"),
    ],
)
async def test_an_entity_with_a_wrong_field_type_names_it(
    bench: Bench, metadata: object, field: str
) -> None:
    """The error names the field."""
    with pytest.raises(Invalid, match=f"^{field}: must be an object"):
        await bench.run("catalog:write", entity={"kind": "API", "metadata": metadata})
