"""The address of a template's form, filled in with the answers of a run."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from services.portal.entities import split_ref
from shared.contracts.entity import mapping_of

#: What is left of an address for the answers; more would not reach every server.
_LONGEST = 8_000


def form_address(task: Mapping[str, Any]) -> str:
    """The form with the run's answers filled in; "" if the template is not known.

    Secrets are not among them: the scaffolder shows stars in their place. Answers too
    long for an address are left out, the longest first.
    """
    spec = mapping_of(task.get("spec"))
    ref = str(mapping_of(spec.get("templateInfo")).get("entityRef") or "")
    if not ref.startswith("template:") or "/" not in ref:
        return ""
    _, namespace, name = split_ref(ref)
    answers = _without_stars(mapping_of(spec.get("parameters")))
    while answers and len(_encode(answers)) > _LONGEST:
        longest = max(answers, key=lambda key: len(json.dumps(answers[key])))
        del answers[longest]
    address = f"/create/templates/{quote(namespace)}/{quote(name)}"
    return f"{address}?formData={_encode(answers)}" if answers else address


def _encode(answers: Mapping[str, Any]) -> str:
    return quote(json.dumps(answers, ensure_ascii=False, separators=(",", ":")))


def _without_stars(answers: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_stars(value) if isinstance(value, Mapping) else value
        for key, value in answers.items()
        if not _is_masked(value)
    }


def _is_masked(value: Any) -> bool:
    return isinstance(value, str) and len(value) > 0 and not value.strip("*")
