"""A query that is ready to be ranked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from search.index.columns import Ids
from search.index.conditions import Where
from search.index.lexical.file_names import NamedMemes, no_ids
from search.meme import Likeness, Sort
from search.query.filters import Filters
from search.query.parser import Query
from search.query.quotes import Quote
from search.query.spelling import Correction
from search.ranking.fusion import Weights
from search.ranking.relevance import QueryStats
from search.ranking.retrievers import Retriever
from search.results import Operator, Understood


@dataclass(frozen=True)
class QueryPlan:
    """A query prepared for ranking: its retrievers, their weights, and the condition that its filters set.

    `listing` has the answer's ids, newest first, for a query without anything to rank by. `stats` is None when the
    relevance cut-off uses scores alone: for images and `like:` with words.
    """

    query: Query
    filters: Filters
    where: Where | None
    weights: Weights
    retrievers: Sequence[Retriever] = ()
    boosts: Weights = field(default_factory=dict)
    has_fixed_weights: bool = False
    excluded: int | None = None
    terms: Sequence[str] = ()  # to highlight
    correction: Correction | None = None
    stats: QueryStats | None = None
    listing: Ids | None = None
    holding: Ids = field(default_factory=no_ids)  # the memes that hold all words that are not quoted, rising
    with_words: Ids = field(default_factory=no_ids)  # the memes that hold all words beside a picture or `like:`, rising
    quotes: Sequence[Quote] = ()
    saying: Ids | None = None  # the memes that say all quoted phrases, rising; None without a phrase
    asks_more: bool = False  # there are words beside the quoted phrases: what says these must match the words too
    is_sentence: bool = False  # so many that the query is a sentence that quotes: its weaker hits need not say it
    named: NamedMemes = field(default_factory=NamedMemes)  # the memes that the query is the file name of
    likeness: Likeness | None = None  # what is alike, for the memes similar to one or several
    unread: str = ""  # a sentence where the text encoder cannot read the query
    is_picture: bool = False  # the query is a picture, without words

    def understood(self, *, sort: Sort, category: str | None, has_image: bool) -> Understood:
        """Return how the query was interpreted."""
        operators = [Operator(str(part), part.kind.value, part.value, means) for part, means in self.filters.understood]
        corrected = self.correction is not None and self.correction.corrections
        return Understood(
            text=self.query.text,
            typed=str(self.query),
            phrases=tuple(one.text for one in self.quotes if one.sequences),
            asks_more=self.saying is not None and self.asks_more,
            sort=sort,
            is_shortened=self.query.shortened,
            has_image=has_image,
            operators=tuple(operators),
            notices=(*self.filters.notices, *([self.unread] if self.unread else [])),
            category=category,
            spelling=self.correction.corrections if self.correction is not None else {},
            showing=self.correction.query.text if self.correction is not None and corrected else "",
        )
