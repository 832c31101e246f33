"""Fields that offer entities, groups or tags: the names of what was chosen in them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from services.portal.api_paths import BY_QUERY
from services.portal.entities import Summary, entities_of, split_ref
from services.portal.forms.draft import Draft, FilledPage
from services.portal.forms.model import FormField, Option, Path, Picker
from services.portal.visit import Visit, gather

NOT_OFFERED = "This is not among the choices; choose from the list."
MOST_NAMESAKES = 50
#: Answers of one field that are looked up: each is a question to the catalog.
MOST_CHECKED = 50


async def with_titles(visit: Visit, fields: Sequence[FormField]) -> list[FormField]:
    """The fields, those with a picker with the names of what was chosen."""
    refs = [ref for field in fields if field.picker for ref in chosen_in(field)]
    summaries = await visit.summaries(ref for ref in refs if "/" in ref)
    return [_with_titles(field, summaries) for field in fields]


def chosen_in(field: FormField) -> list[str]:
    """The texts that a field holds, none of them empty."""
    values = field.value if isinstance(field.value, list) else [field.value]
    return [str(value) for value in values if value]


def _with_titles(field: FormField, summaries: Mapping[str, Summary]) -> FormField:
    if field.picker is None:
        return field
    options = [
        Option(text, summary.title if summary and not summary.missing else text, text)
        for text in chosen_in(field)
        for summary in [summaries.get(text.lower())]
    ]
    return replace(field, options=tuple(options))


async def check_choices(visit: Visit, draft: Draft) -> Draft:
    """The form, with an error where an answer must be one of the choices and is not."""
    pages = await gather(*(_check_page(visit, page) for page in draft.pages))
    return replace(draft, pages=pages)


async def _check_page(visit: Visit, page: FilledPage) -> FilledPage:
    errors: dict[Path, str] = {}
    for field in page.fields:
        if (
            field.picker is None
            or field.picker.free
            or field.picker.choice_type == "tags"
        ):
            continue
        refs = chosen_in(field)[:MOST_CHECKED]
        offered = await gather(*(_is_offered(visit, field.picker, ref) for ref in refs))
        if not all(offered):
            errors[field.path] = NOT_OFFERED
    return replace(page, errors={**errors, **page.errors}) if errors else page


async def _is_offered(visit: Visit, picker: Picker, ref: str) -> bool:
    if picker.choice_type == "groups":
        return ref in visit.visitor.ownership
    name = split_ref(ref)[2]
    if not name or "," in name or "=" in name:
        return False
    owned = [f"relations.ownedBy={own}" for own in visit.visitor.ownership]
    more = ",".join([f"metadata.name={name}", *(owned if picker.own else ())])
    params = [
        *(("filter", f"{filter_text},{more}") for filter_text in picker.filters),
        *([] if picker.filters else [("filter", more)]),
        ("fields", "kind,metadata.name,metadata.namespace"),
        ("limit", str(MOST_NAMESAKES)),
    ]
    answer = await visit.get(BY_QUERY, params)
    return any(str(entity.ref) == ref for entity in entities_of(answer["items"]))
