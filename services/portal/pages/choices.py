"""Choices of comboboxes while the reader types, as a fragment of HTML."""

from fastapi import APIRouter
from starlette.responses import Response

from services.portal.choices.answers import choices_for
from services.portal.choices.question import PATH, ChoiceQuestion
from services.portal.visit import Visiting

router = APIRouter()


@router.get(PATH)
async def choices(visit: Visiting) -> Response:
    """The options of a list box, and a line that says how many there are."""
    question = ChoiceQuestion.of(visit.request.query_params.multi_items())
    answer = await choices_for(visit, question)
    html = visit.state.frame.fragment(
        "components/choices.html", choices=answer, term=question.term
    )
    return visit.state.frame.response(html)
