"""Translates a search request to an OpenSearch query with the clauses of tantivy's.

Lucene omits a factor of BM25 that tantivy has; it is part of the boosts here, so that
scores of words and of prefixes have the same ratio as in the embedded index.
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
    ROW_FIELDS,
    RUN_FIELDS,
    SHORTEST_PREFIX,
    TIE,
    TITLE_FIELDS,
    WHOLE_BOOST,
    SearchRequest,
    Step,
    Word,
    approximate_grams,
    fuzziness,
    infix_token,
)
from services.search.words import inner_grams, phrase_tokens, variants

Clause = dict[str, Any]
#: k1 + 1 with k1 = 1.2.
LUCENE = 2.2


def request(question: SearchRequest, step: Step) -> Clause:
    """The body of a search for one page and its exact total."""
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
    filters: list[Clause] = [{"term": {"shown": True}}]
    if question.types:
        filters.append(_any_of("type", question.types))
    filters.append(condition(filter_condition(question.filters)))
    if question.readable is not None:
        filters.append(condition(question.readable))
    clauses: Clause = {"filter": filters}
    if question.term.words:
        clauses["must"] = [_words(question, step)]
        clauses["should"] = _bonuses(question)
    return {"bool": clauses}


def condition(criteria: Condition) -> Clause:
    """The filter for a condition of the policy or the caller."""
    match criteria:
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
        return _best_of(_rows(word.tokens))
    token = word.tokens[0]
    if word.kind == "run":
        return _best_of(_run(token, step, title))
    if word.kind == "pattern":
        return {"wildcard": {"words": {"value": token, "rewrite": "constant_score"}}}
    parts: list[Clause] = []
    if word.kind == "word":
        fields = TITLE_FIELDS if title else tuple(BOOSTS)
        parts += [_exact(field, token) for field in fields]
        parts += _part_of_word(word, step, title)
    if word.kind == "prefix" or len(token) >= SHORTEST_PREFIX or title:
        parts += _beginnings(token, title)
    if word.kind == "word" and step != "exact":
        parts += _misspelt(token, title)
    return _best_of(parts)


def _part_of_word(word: Word, step: Step, title: bool) -> list[Clause]:
    """Match a word as a part of longer words."""
    token = infix_token(word)
    if token is None:
        if len(word.tokens[0]) >= SHORTEST_PREFIX or title:
            return []
        single = {"term": {"words": word.tokens[0]}}
        return [_constant(single, PREFIX_BOOSTS["words"])]
    clauses = [_prefix("inner", token, INNER_BOOST)]
    if step != "exact" and not title:
        clauses.append(_prefix("inner_text", token, FUZZY_BOOST))
    return clauses


def _run(run: str, step: Step, title: bool) -> list[Clause]:
    """Match a run anywhere in a text."""
    if len(run) == 1:
        return _beginnings(run, title)
    clauses = [
        _row(field, inner_grams(variant), LUCENE * BOOSTS[field])
        for variant in variants(run)
        for field in (TITLE_FIELDS if title else RUN_FIELDS)
    ]
    if step != "exact" and not title:
        grams, least = approximate_grams(run)
        loose = _some_of([{"term": {"words": gram}} for gram in grams], least)
        clauses.append(_constant(loose, FUZZY_BOOST))
    return clauses


def _row(field: str, tokens: Sequence[str], boost: float) -> Clause:
    """Match tokens as a phrase, or a single token."""
    return {"match_phrase": {field: {"query": " ".join(tokens), "boost": boost}}}


def _constant(query: Clause, boost: float) -> Clause:
    return {"constant_score": {"filter": query, "boost": boost}}


def _exact(field: str, token: str) -> Clause:
    boost = BOOSTS[field] * LUCENE
    if field == "stems":
        # The server stems it, as it did when it indexed.
        return {"match": {field: {"query": token, "boost": boost}}}
    return {"term": {field: {"value": token, "boost": boost}}}


def _beginnings(token: str, title: bool) -> list[Clause]:
    fields = TITLE_FIELDS if title else tuple(PREFIX_BOOSTS)
    return [_prefix(field, token, PREFIX_BOOSTS.get(field, 1.0)) for field in fields]


def _prefix(field: str, token: str, boost: float) -> Clause:
    return {"prefix": {field: {"value": token, "boost": boost}}}


def _misspelt(token: str, title: bool) -> list[Clause]:
    allowed = fuzziness(token)
    if not allowed:
        return []
    near = {
        "value": token,
        "fuzziness": allowed,
        "transpositions": True,
        # All similar words and not only fifty, so that totals are exact.
        "rewrite": "constant_score",
        "boost": FUZZY_BOOST,
    }
    return [
        {"fuzzy": {field: near}} for field in (TITLE_FIELDS if title else ("words",))
    ]


def _bonuses(question: SearchRequest) -> list[Clause]:
    """Higher scores if the term equals the title or occurs in it as a phrase."""
    plain = question.term.plain
    if not plain:
        return []
    whole = _any_of("whole", question.term.wholes)
    clauses: list[Clause] = [_constant(whole, WHOLE_BOOST)]
    if len(plain) > 1:
        clauses.append(_best_of(_rows(plain)))
    return clauses


def _rows(pieces: Sequence[str]) -> list[Clause]:
    tokens = list(phrase_tokens(pieces))
    return [
        _row(field, tokens, LUCENE * PHRASE_BOOST * BOOSTS[field] / BOOSTS["title"])
        for field in ROW_FIELDS
    ]


def _best_of(parts: Sequence[Clause]) -> Clause:
    return {"dis_max": {"queries": list(parts), "tie_breaker": TIE}}


def _any_of(field: str, values: Sequence[str]) -> Clause:
    if not values:
        return {"match_none": {}}
    return {"terms": {field: list(values)}}


def _some_of(parts: Sequence[Clause], minimum: int = 1) -> Clause:
    return {"bool": {"should": list(parts), "minimum_should_match": minimum}}
