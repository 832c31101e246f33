"""Docs of a visible component tell nothing of a restricted one in its repository."""

import secrets

from tests.e2e.restricted import Secret
from tests.e2e.running import GUEST, HUGO, Portal, eventually, push

LOCATION = """
---
apiVersion: backstage.io/v1alpha1
kind: Location
metadata:
  name: {name}
spec:
  targets: [./docs/secret/catalog-info.yaml]
"""
OPEN = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: {name}
  annotations:
    backstage.io/techdocs-ref: dir:.
spec:
  type: service
  lifecycle: experimental
  owner: booking
"""


def test_docs_leave_a_restricted_folder_below_them_out(system: Portal) -> None:
    """Its owners read its own docs; the page of the open one is new."""
    mark = secrets.token_hex(3)
    name, word = f"open-{mark}", f"zq{secrets.token_hex(4)}"
    files = {
        "catalog-info.yaml": OPEN.format(name=name),
        "mkdocs.yml": "site_name: Open\n",
        "docs/index.md": "# Open\n",
    }
    copy = system.repository(name, files)
    docs = f"/api/techdocs/static/docs/default/component/{name}"
    guest = system.as_(GUEST)
    eventually(lambda: guest.get(f"{docs}/index.html").is_success, "docs are built")
    secret = Secret(f"hush-{mark}", word, copy)
    files = {
        "catalog-info.yaml": OPEN.format(name=name) + LOCATION.format(name=name),
        "docs/index.md": "# The second edition\n",
        "docs/secret/catalog-info.yaml": secret.says(),
        "docs/secret/mkdocs.yml": "site_name: Plan\n",
        "docs/secret/plan.md": f"# {word}\n",
        "docs/secret/docs/index.md": f"# {word}\n",
    }
    push(copy, files, "Add a plan")
    eventually(
        lambda: "second edition" in guest.get(f"{docs}/index.html").text,
        "the second edition",
    )
    eventually(lambda: system.results(word, HUGO) >= 2, "its owner finds it")
    for path in ("catalog-info.yaml", "plan/index.html", "docs/index.html"):
        assert guest.get(f"{docs}/secret/{path}").status_code == 404, path
    assert system.results(word, GUEST) == 0
