"""A run that registers what it published."""

import secrets

from tests.e2e.running import HOST, Portal
from tests.e2e.runs import TASKS, finished_run


def test_a_first_registration_outputs_the_entity_ref(system: Portal) -> None:
    """Steps and output links get the ref of the entity that the location brings."""
    name = f"shop-{secrets.token_hex(3)}"
    entity = {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": name},
        "spec": {"type": "service", "lifecycle": "production", "owner": "money"},
    }
    ref = "${{ steps.s2.output.entityRef }}"
    run = finished_run(
        system,
        {
            "action": "catalog:write",
            "input": {"entity": entity, "filePath": "deep/catalog-info.yaml"},
        },
        {"action": "publish:git", "input": {"repoUrl": f"{HOST}?repo={name}"}},
        {
            "action": "catalog:register",
            "input": {
                "repoContentsUrl": "${{ steps.s1.output.repoContentsUrl }}",
                "catalogInfoPath": "/deep/catalog-info.yaml",
            },
        },
        output={"links": [{"title": "Catalog", "entityRef": ref}]},
    )
    assert run["status"] == "completed"
    events = system.get(f"{TASKS}/{run['id']}/events")
    outputs = [event["body"].get("output") for event in events]
    [output] = [item for item in outputs if item]
    assert output["links"][0]["entityRef"] == f"component:default/{name}"
