"""What is pinned of search: the first hits of some queries, and what is similar to some memes."""

from __future__ import annotations

from typing import Any

from search.meme import Likeness
from search.query.parser import query_terms
from search.ranking.relevance import query_stats, relevance_cutoff
from search.searcher import Searcher
from tests.quality import frozen

EVERY = 8  # query is pinned
SIMILAR_TO = 12  # every so many memes, what is similar to one is pinned


def answers(searcher: Searcher) -> dict[str, Any]:
    """Return the first hits of every eighth query: paths and scores, how many are certain, and snippets.

    Some queries more are of two parts: a text, and the first hit of another text that the hits shall be like.
    """
    asked = [query.text for query in frozen.queries()]
    found = {text: _row(searcher.search(text, k=10)) for text in asked[::EVERY]}
    for text, other in zip(asked[0:100:20], asked[7:100:20], strict=True):
        like = searcher.search(other, k=1)[0].meme
        found[f"{text} like {like.path}"] = _row(searcher.search(f"{text} like:{like.id}", k=10))
    return found


def log_odds(searcher: Searcher) -> dict[str, list[float]]:
    """Return the log-odds that the first hits of every eighth query are relevant, best first."""
    found = {}
    for query in frozen.queries()[::EVERY]:
        stats = query_stats(searcher.index.lexical, query_terms(query.text))
        cutoff = relevance_cutoff(searcher.scores(query.text).fuse(), stats)
        found[query.text] = [round(float(odds), 3) for odds in cutoff.log_odds[:5]]
    return found


def similar(searcher: Searcher) -> dict[str, Any]:
    """Return what is similar to every twelfth meme, by each likeness."""
    return {
        f"{likeness.value} {meme['path']}": _row(searcher.similar(meme["path"], by=likeness, k=6))
        for meme in frozen.memes()[::SIMILAR_TO]
        for likeness in Likeness
    }


def _row(answer: Any) -> dict[str, Any]:
    return {
        "certain": answer.understood.certain,
        "hits": [[hit.path, round(hit.score, 4)] for hit in answer],
        "variants": [hit.variants for hit in answer],
        "snippets": [snippet.html for hit in answer[:2] for snippet in hit.snippets],
    }
