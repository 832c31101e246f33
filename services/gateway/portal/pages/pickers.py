"""What fields offer to choose from: entities, groups and tags that the reader sees."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from services.gateway.portal.entities import (
    canonical,
    kind_word,
    split_ref,
    title_of,
)
from services.gateway.portal.forms.model import Field, Option, Picker
from services.gateway.portal.visit import Visit, together

BY_QUERY = "/api/catalog/entities/by-query"
MOST_OFFERED = 500
FIELDS = "kind,metadata.name,metadata.namespace,metadata.title,spec.profile"


async def offered(visit: Visit, fields: Sequence[Field]) -> list[Field]:
    """The fields, those with a picker with what it offers; what was chosen stays."""
    return list(await together(*(_with_options(visit, field) for field in fields)))


async def _with_options(visit: Visit, field: Field) -> Field:
    if field.picker is None:
        return field
    options = await _options(visit, field.picker)
    known = {option.key for option in options}
    chosen = field.value if isinstance(field.value, list) else [field.value]
    kept = [Option(text, text, text) for text in chosen if text and text not in known]
    return replace(field, options=(*options, *kept))


async def _options(visit: Visit, picker: Picker) -> list[Option]:
    if picker.what == "tags":
        answer = await visit.get(
            "/api/catalog/entity-facets", {"facet": "metadata.tags"}
        )
        tags = answer["facets"].get("metadata.tags", ())
        return [Option(str(t["value"]), str(t["value"]), t["value"]) for t in tags]
    if picker.what == "groups":
        groups = [ref for ref in visit.identity.ownership if ref.startswith("group:")]
        names = await visit.summaries(groups)
        return [Option(ref, names[ref].title, ref) for ref in names]
    answer = await visit.get(BY_QUERY, _params(visit, picker))
    return _entities(answer["items"])


def _params(visit: Visit, picker: Picker) -> list[tuple[str, str]]:
    filters = list(picker.filters)
    if picker.own:
        owned = ",".join(f"relations.ownedBy={ref}" for ref in visit.identity.ownership)
        filters = [f"{each},{owned}" for each in filters] or [owned]
    return [
        *(("filter", each) for each in filters),
        ("fields", FIELDS),
        ("limit", str(MOST_OFFERED)),
        ("orderField", "metadata.name,asc"),
    ]


def _entities(items: Sequence[Any]) -> list[Option]:
    """Options by name; where several kinds are offered, each says its own."""
    several = len({str(item["kind"]).lower() for item in items}) > 1
    options = []
    for item in items:
        ref = canonical(item)
        kind = split_ref(ref)[0]
        title = title_of(item)
        label = f"{title} ({kind_word(kind).lower()})" if several else title
        options.append(Option(ref, label, ref))
    return sorted(options, key=lambda option: option.label.lower())
