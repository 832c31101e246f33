"""Translates a search request to a tantivy query."""

from collections.abc import Sequence

import tantivy
from tantivy import Occur, Query

from services.search.conditions import (
    AllConditions,
    AnyCondition,
    Condition,
    HasMark,
    NotCondition,
    filter_condition,
)
from services.search.index.fields import Stemmer
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

Clause = tuple[Occur, Query]
Clauses = list[Clause]
BOOLEAN_TERMS = 40


class QueryTranslation:
    """Translates requests to queries of one schema."""

    def __init__(self, schema: tantivy.Schema, stemmer: Stemmer) -> None:
        self._schema = schema
        self._stemmer = stemmer

    def query(self, question: SearchRequest, step: Step) -> Query:
        """The complete query of a request: words, filters and policy."""
        clauses = self._filters(question)
        if question.term.words:
            clauses.append((Occur.Must, self._words(question, step)))
            clauses += self._bonuses(question)
        return _combined(clauses)

    def _filters(self, question: SearchRequest) -> Clauses:
        clauses: Clauses = []
        if question.types:
            types = self._any_of("type", question.types)
            clauses.append((Occur.Must, _unscored(types)))
        elif not question.term.words:
            # Hidden records have neither words nor a type.
            clauses.append((Occur.Must, _unscored(self._term("shown", "yes"))))
        conditions = [filter_condition(question.filters)]
        if question.readable is not None:
            conditions.append(question.readable)
        for condition in conditions:
            clauses += self._clauses(condition)
        return clauses

    def _words(self, question: SearchRequest, step: Step) -> Query:
        title = question.within == "title"
        parts = [self._word(word, step, title) for word in question.term.words]
        if step != "most":
            return _combined([(Occur.Must, part) for part in parts])
        required = len(parts) - max(1, len(parts) // 3)
        return Query.boolean_query([(Occur.Should, part) for part in parts], required)

    def _word(self, word: Word, step: Step, title: bool) -> Query:
        if word.kind == "phrase":
            return self._best_of(self._rows(word.tokens))
        token = word.tokens[0]
        if word.kind == "run":
            return self._best_of(self._run(token, step, title))
        if word.kind == "pattern":
            pattern = token.replace("*", ".*")
            return Query.regex_query(self._schema, "words", pattern)
        fields = TITLE_FIELDS if title else tuple(BOOSTS)
        parts: list[Query] = []
        if word.kind == "word":
            parts += [self._exact(field, token) for field in fields]
            parts += self._part_of_word(word, step, title)
        if word.kind == "prefix" or len(token) >= SHORTEST_PREFIX or title:
            parts += self._beginnings(token, title)
        if word.kind == "word" and step != "exact":
            parts += self._misspelt(token, title)
        return self._best_of(parts)

    def _part_of_word(self, word: Word, step: Step, title: bool) -> list[Query]:
        """Match a word as a part of longer words."""
        token = infix_token(word)
        if token is None:
            if len(word.tokens[0]) >= SHORTEST_PREFIX or title:
                return []
            single = self._term("words", word.tokens[0])
            return [Query.const_score_query(single, PREFIX_BOOSTS["words"])]
        queries = [Query.boost_query(self._prefix("inner", token), INNER_BOOST)]
        if step != "exact" and not title:
            queries.append(
                Query.boost_query(self._prefix("inner_text", token), FUZZY_BOOST)
            )
        return queries

    def _run(self, run: str, step: Step, title: bool) -> list[Query]:
        """Match a run anywhere in a text."""
        if len(run) == 1:
            return self._beginnings(run, title)
        fields = TITLE_FIELDS if title else RUN_FIELDS
        queries = [
            Query.boost_query(self._row(field, inner_grams(variant)), BOOSTS[field])
            for variant in variants(run)
            for field in fields
        ]
        if step != "exact" and not title:
            grams, least = approximate_grams(run)
            parts = [(Occur.Should, self._term("words", gram)) for gram in grams]
            loose = Query.boolean_query(parts, least)
            queries.append(Query.const_score_query(loose, FUZZY_BOOST))
        return queries

    def _row(self, field: str, tokens: Sequence[str]) -> Query:
        """Match tokens as a phrase, or a single token."""
        if len(tokens) == 1:
            return Query.term_query(self._schema, field, tokens[0], "freq")
        return Query.phrase_query(self._schema, field, list(tokens))

    def _exact(self, field: str, token: str) -> Query:
        text = self._stemmer.stem(token) if field == "stems" else token
        # "freq": the number of occurrences counts, which is not tantivy's default.
        query = Query.term_query(self._schema, field, text, "freq")
        return Query.boost_query(query, BOOSTS[field])

    def _beginnings(self, token: str, title: bool) -> list[Query]:
        fields = TITLE_FIELDS if title else tuple(PREFIX_BOOSTS)
        return [
            Query.boost_query(self._prefix(field, token), PREFIX_BOOSTS.get(field, 1.0))
            for field in fields
        ]

    def _prefix(self, field: str, token: str) -> Query:
        """Match words with this prefix, all with the same score."""
        return Query.fuzzy_term_query(self._schema, field, token, 0, True, True)

    def _misspelt(self, token: str, title: bool) -> list[Query]:
        allowed = fuzziness(token)
        if not allowed:
            return []
        fields = TITLE_FIELDS if title else ("words",)
        return [
            Query.boost_query(
                Query.fuzzy_term_query(self._schema, field, token, allowed), FUZZY_BOOST
            )
            for field in fields
        ]

    def _bonuses(self, question: SearchRequest) -> Clauses:
        """Higher scores if the term equals the title or occurs in it as a phrase."""
        plain = question.term.plain
        if not plain:
            return []
        whole = self._any_of("whole", question.term.wholes)
        clauses = [(Occur.Should, Query.const_score_query(whole, WHOLE_BOOST))]
        if len(plain) > 1:
            clauses.append((Occur.Should, self._best_of(self._rows(plain))))
        return clauses

    def _rows(self, pieces: Sequence[str]) -> list[Query]:
        tokens = list(phrase_tokens(pieces))
        return [
            Query.boost_query(
                self._row(field, tokens),
                PHRASE_BOOST * BOOSTS[field] / BOOSTS["title"],
            )
            for field in ROW_FIELDS
        ]

    def _best_of(self, parts: Sequence[Query]) -> Query:
        return Query.disjunction_max_query(list(parts), TIE)

    def _term(self, field: str, value: str) -> Query:
        return Query.term_query(self._schema, field, value, "basic")

    def _any_of(self, field: str, values: Sequence[str]) -> Query:
        """Match one of several values; tantivy's term set costs 150 µs at least."""
        if not values:
            return Query.empty_query()
        if len(values) == 1:
            return self._term(field, values[0])
        if len(values) > BOOLEAN_TERMS:
            return Query.term_set_query(self._schema, field, list(values))
        return Query.boolean_query(
            [(Occur.Should, self._term(field, value)) for value in values]
        )

    def _clauses(self, condition: Condition) -> Clauses:
        """The clauses of a condition.

        `a or not b` becomes `not (not a and b)`, because excluding a few records costs
        much less than including all others.
        """
        match condition:
            case AllConditions(parts):
                return [clause for part in parts for clause in self._clauses(part)]
            case NotCondition(part):
                return [(Occur.MustNot, self._condition(part))]
            case AnyCondition(parts) if any(
                isinstance(part, NotCondition) for part in parts
            ):
                denied = AllConditions(tuple(_negated(part) for part in parts))
                return [(Occur.MustNot, self._condition(denied))]
            case _:
                return [(Occur.Must, _unscored(self._condition(condition)))]

    def _condition(self, condition: Condition) -> Query:
        match condition:
            case HasMark(marks):
                return self._any_of("marks", marks)
            case AnyCondition(parts) if not any(
                isinstance(part, NotCondition) for part in parts
            ):
                if not parts:
                    return Query.empty_query()
                return Query.boolean_query(
                    [(Occur.Should, self._condition(part)) for part in parts]
                )
            case _:
                return _combined(self._clauses(condition))


def _negated(condition: Condition) -> Condition:
    return (
        condition.part
        if isinstance(condition, NotCondition)
        else NotCondition(condition)
    )


def _unscored(query: Query) -> Query:
    """The query without an effect on the score."""
    return Query.const_score_query(query, 0.0)


def _combined(clauses: Clauses) -> Query:
    if not any(occur == Occur.Must for occur, _ in clauses):
        clauses = [(Occur.Must, _unscored(Query.all_query())), *clauses]
    return Query.boolean_query(clauses)
