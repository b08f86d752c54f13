"""What scores by words are made of: the parts of a query, and queries joined."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import tantivy
from numpy.typing import NDArray

from search.index.lexical.analyzer import LETTERWISE_WORD, MAX_TERMS

Ids = NDArray[np.int64]  # [n] meme ids
LexicalScores = NDArray[np.float32]  # [n], BM25, higher is better, 0 where no word matches


def any_of(queries: Sequence[tantivy.Query]) -> tantivy.Query:
    """Return the query that finds what any of some queries find; it finds nothing where there are none."""
    if not queries:
        return tantivy.Query.empty_query()
    return tantivy.Query.boolean_query([(tantivy.Occur.Should, query) for query in queries])


def any_id(schema: tantivy.Schema, wanted: bytes) -> tantivy.Query:
    """Return the query for memes with any of the ids whose int64 bytes these are; it adds nothing to scores."""
    ids = np.frombuffer(wanted, np.int64).tolist()
    # The set query has a fixed cost of 1 ms, the list of term queries a higher one for each id.
    if len(ids) > 500:
        among = tantivy.Query.term_set_query(schema, "id", ids)
    else:
        among = any_of([tantivy.Query.term_query(schema, "id", id) for id in ids])
    return tantivy.Query.const_score_query(among, 0.0)


def adding(query: tantivy.Query, others: Iterable[tantivy.Query]) -> tantivy.Query:
    """Return the query that finds what `query` finds, each with the scores of the others added, in their order."""
    # One in the other: side by side, tantivy would read all that each of the others finds.
    for one in others:
        query = tantivy.Query.boolean_query([(tantivy.Occur.Must, query), (tantivy.Occur.Should, one)])
    return query


def scored_parts(wanted: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the parts whose scores a query adds: its terms, and pairs of neighbours in scripts without spaces.

    >>> scored_parts(["a", "黑", "猫"])
    [('a',), ('黑',), ('猫',), ('黑', '猫')]
    """
    wanted = wanted[:MAX_TERMS]
    if all(map(str.isascii, wanted)):
        return [(term,) for term in wanted]
    # A single letter of such a script matches much; a pair of neighbours adds to the score.
    pairs = [pair for pair in pairwise(wanted) if all(LETTERWISE_WORD.fullmatch(term) for term in pair)]
    return [*((term,) for term in wanted), *pairs]
