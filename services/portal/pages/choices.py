"""Choices of comboboxes while the reader types, as a fragment of HTML."""

from fastapi import APIRouter
from starlette.responses import Response

from services.portal.choices.answers import choices_for
from services.portal.choices.query import PATH, ChoiceQuery
from services.portal.visit import Visiting

router = APIRouter()


@router.get(PATH)
async def choices(visit: Visiting) -> Response:
    """The options of a list box, and a line that says how many there are."""
    query = ChoiceQuery.of(visit.request.query_params.multi_items())
    answer = await choices_for(visit, query)
    html = visit.state.frame.fragment(
        "components/choices.html", choices=answer, term=query.term
    )
    return visit.state.frame.response(html)
