"""From the abstract query to OpenSearch's: clause by clause what tantivy is asked.

Lucene leaves out a factor of BM25 that tantivy keeps; it is in the boosts here, so
that words that are scored stand to words that merely begin so as in the embedded form.
"""

from collections.abc import Sequence
from typing import Any

from services.search.conditions import (
    AllConditions,
    AnyCondition,
    Condition,
    HasMark,
    NotCondition,
    filter_condition,
)
from services.search.query import (
    BOOSTS,
    FUZZY_BOOST,
    INNER_BOOST,
    PHRASE_BOOST,
    PREFIX_BOOSTS,
    SHORTEST_PREFIX,
    WHOLE_BOOST,
    SearchRequest,
    Step,
    Word,
    inner,
    loose_grams,
    slips,
)
from services.search.words import in_a_row, inner_grams, variants

Clause = dict[str, Any]
TITLE_FIELDS = ("title", "keywords")
ROW_FIELDS = ("title", "keywords", "text")
RUN_FIELDS = ("title", "keywords", "about", "text")
TIE = 0.1
#: k1 + 1 with k1 = 1.2.
LUCENE = 2.2


def request(question: SearchRequest, step: Step) -> Clause:
    """The body of a search: one page, its exact total."""
    typed = bool(question.term.words)
    query = _query(question, step)
    if typed:
        query = {
            "function_score": {
                "query": query,
                "field_value_factor": {"field": "factor", "missing": 1},
                "boost_mode": "multiply",
            }
        }
    return {
        "query": query,
        "from": question.page * question.limit,
        "size": question.limit,
        "sort": [{"_score": "desc"}, {"sort": "asc"}] if typed else [{"sort": "asc"}],
        "track_total_hits": True,
        "_source": ["type", "ref", "document"],
    }


def _query(question: SearchRequest, step: Step) -> Clause:
    chosen: list[Clause] = [{"term": {"shown": True}}]
    if question.types:
        chosen.append(_any_of("type", question.types))
    chosen.append(condition(filter_condition(question.filters)))
    if question.readable is not None:
        chosen.append(condition(question.readable))
    found: Clause = {"filter": chosen}
    if question.term.words:
        found["must"] = [_words(question, step)]
        found["should"] = _bonuses(question)
    return {"bool": found}


def condition(wanted: Condition) -> Clause:
    """A policy's or a caller's condition as a filter."""
    match wanted:
        case HasMark(marks):
            return _any_of("marks", marks)
        case AllConditions(parts):
            return {"bool": {"filter": [condition(part) for part in parts]}}
        case AnyCondition(parts):
            if not parts:
                return {"match_none": {}}
            return _some_of([condition(part) for part in parts])
        case NotCondition(part):
            return {"bool": {"must_not": [condition(part)]}}


def _words(question: SearchRequest, step: Step) -> Clause:
    title = question.within == "title"
    parts = [_word(word, step, title) for word in question.term.words]
    if step != "most":
        return {"bool": {"must": parts}}
    return _some_of(parts, len(parts) - max(1, len(parts) // 3))


def _word(word: Word, step: Step, title: bool) -> Clause:
    if word.kind == "phrase":
        return _best(_rows(word.tokens))
    token = word.tokens[0]
    if word.kind == "run":
        return _best(_run(token, step, title))
    if word.kind == "pattern":
        return {"wildcard": {"words": {"value": token, "rewrite": "constant_score"}}}
    parts: list[Clause] = []
    if word.kind == "word":
        fields = TITLE_FIELDS if title else tuple(BOOSTS)
        parts += [_exact(field, token) for field in fields]
        parts += _inside(word, step, title)
    if word.kind == "prefix" or len(token) >= SHORTEST_PREFIX or title:
        parts += _beginnings(token, title)
    if word.kind == "word" and step != "exact":
        parts += _slipped(token, title)
    return _best(parts)


def _inside(word: Word, step: Step, title: bool) -> list[Clause]:
    """The word as a part of longer ones."""
    token = inner(word)
    if token is None:
        if len(word.tokens[0]) >= SHORTEST_PREFIX or title:
            return []
        single = {"term": {"words": word.tokens[0]}}
        return [_constant(single, PREFIX_BOOSTS["words"])]
    found = [_prefix("inner", token, INNER_BOOST)]
    if step != "exact" and not title:
        found.append(_prefix("inner_text", token, FUZZY_BOOST))
    return found


def _run(run: str, step: Step, title: bool) -> list[Clause]:
    """Where the run is written, whatever stands before and after it."""
    if len(run) == 1:
        return _beginnings(run, title)
    found = [
        _row(field, inner_grams(variant), LUCENE * BOOSTS[field])
        for variant in variants(run)
        for field in (TITLE_FIELDS if title else RUN_FIELDS)
    ]
    if step != "exact" and not title:
        grams, least = loose_grams(run)
        loose = _some_of([{"term": {"words": gram}} for gram in grams], least)
        found.append(_constant(loose, FUZZY_BOOST))
    return found


def _row(field: str, tokens: Sequence[str], boost: float) -> Clause:
    """These words in a row, or the only one of them."""
    return {"match_phrase": {field: {"query": " ".join(tokens), "boost": boost}}}


def _constant(query: Clause, boost: float) -> Clause:
    return {"constant_score": {"filter": query, "boost": boost}}


def _exact(field: str, token: str) -> Clause:
    boost = BOOSTS[field] * LUCENE
    if field == "stems":
        # Reduced by the server's own analyzer, as what is in the index was.
        return {"match": {field: {"query": token, "boost": boost}}}
    return {"term": {field: {"value": token, "boost": boost}}}


def _beginnings(token: str, title: bool) -> list[Clause]:
    fields = TITLE_FIELDS if title else tuple(PREFIX_BOOSTS)
    return [_prefix(field, token, PREFIX_BOOSTS.get(field, 1.0)) for field in fields]


def _prefix(field: str, token: str, boost: float) -> Clause:
    return {"prefix": {field: {"value": token, "boost": boost}}}


def _slipped(token: str, title: bool) -> list[Clause]:
    allowed = slips(token)
    if not allowed:
        return []
    near = {
        "value": token,
        "fuzziness": allowed,
        "transpositions": True,
        # All that is near, not the nearest fifty: totals are exact.
        "rewrite": "constant_score",
        "boost": FUZZY_BOOST,
    }
    return [
        {"fuzzy": {field: near}} for field in (TITLE_FIELDS if title else ("words",))
    ]


def _bonuses(question: SearchRequest) -> list[Clause]:
    """What was typed is the whole title, or stands there in a row."""
    plain = question.term.plain
    if not plain:
        return []
    whole = _any_of("whole", question.term.wholes)
    found: list[Clause] = [_constant(whole, WHOLE_BOOST)]
    if len(plain) > 1:
        found.append(_best(_rows(plain)))
    return found


def _rows(pieces: Sequence[str]) -> list[Clause]:
    tokens = list(in_a_row(pieces))
    return [
        _row(field, tokens, LUCENE * PHRASE_BOOST * BOOSTS[field] / BOOSTS["title"])
        for field in ROW_FIELDS
    ]


def _best(parts: Sequence[Clause]) -> Clause:
    return {"dis_max": {"queries": list(parts), "tie_breaker": TIE}}


def _any_of(field: str, values: Sequence[str]) -> Clause:
    if not values:
        return {"match_none": {}}
    return {"terms": {field: list(values)}}


def _some_of(parts: Sequence[Clause], wanted: int = 1) -> Clause:
    return {"bool": {"should": list(parts), "minimum_should_match": wanted}}
