"""A restricted component that a running portal has read."""

import secrets
from dataclasses import dataclass

from tests.e2e.running import Portal, eventually
from tests.e2e.system import WorkingCopy


@dataclass(frozen=True, slots=True)
class Secret:
    """A restricted component with docs; `word` stands in all that it says."""

    name: str
    word: str
    copy: WorkingCopy

    @property
    def ref(self) -> str:
        return f"component:default/{self.name}"

    @property
    def path(self) -> str:
        return f"component/default/{self.name}"

    def says(self, more: str = "") -> str:
        """Its descriptor."""
        return f"""\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: {self.name}
  title: Plan {self.word}
  description: Nobody else shall hear of {self.word} {more}
  tags: [{self.word}]
  annotations:
    callboard.dev/visibility: restricted
    backstage.io/techdocs-ref: dir:.
spec:
  type: service
  lifecycle: experimental
  owner: corporate-development
  system: payments
  dependsOn: [resource:event-log]
"""


def push_secret(system: Portal) -> Secret:
    """Pushed, discovered, indexed, its documentation built."""
    name, word = f"hush-{secrets.token_hex(3)}", f"zq{secrets.token_hex(4)}"
    secret = Secret(name, word, WorkingCopy(system.data / "workshop" / name))
    files = {
        "catalog-info.yaml": secret.says(),
        "mkdocs.yml": f"site_name: Plan {word}\n",
        "docs/index.md": f"# Plan\n\nAll about {word} and what it costs.\n",
    }
    system.repository(name, files)
    eventually(lambda: system.known(secret.ref), f"{secret.ref} is discovered")
    # The entity, and the page of its documentation.
    eventually(lambda: system.results(word) >= 2, "it is indexed")
    return secret
