"""Explanations of hits: each field's share of the score, and the pieces of text that matched."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from search.catalogue import Catalogue
from search.index.columns import Ids
from search.index.contract import Index, Words
from search.index.generations import TEXT_FIELDS
from search.meme import Field, Meme, Passage
from search.query.quotes import Quote
from search.ranking.fusion import FusedRanking
from search.ranking.highlight import Highlighter, best_snippet, make_snippet
from search.ranking.reasons import reasons_of
from search.results import Hit, Snippet
from search.signals import LEXICAL_ALL

SNIPPETS = 2  # a hit has at most
MIN_SHARE = 0.08  # of the score, from which a field is worth a snippet
LONG_FIELDS = frozenset({Field.ANALYSIS})
MAX_DOCUMENT_SHARE = 0.2  # of all memes; more frequent terms are not highlighted


def informative_terms(index: Index, terms: Sequence[str]) -> list[str]:
    """Return the terms that few memes contain, or all terms if there are none, as in "to be or not to be".

    >>> informative_terms(searcher.index, ["toaster", "a"])
    ['toaster']
    """
    most = MAX_DOCUMENT_SHARE * len(index.lexical)
    frequencies = index.frequencies(terms)
    return [term for term in terms if frequencies[term] <= most] or list(terms)


def explain(
    catalogue: Catalogue,
    index: Index,
    ranking: FusedRanking,
    *,
    memes: Sequence[Meme],
    terms: Sequence[str],
    certain: Collection[int],
    quotes: Sequence[Quote] = (),
    named: Collection[int] = (),
) -> list[Hit]:
    """Return a hit for each of the memes, in their order, with explanations and snippets.

    `terms` and `quotes` are highlighted in the snippets. `certain` are the ids of the hits that match,
    `named` those of the memes that were asked for by their files' names.

    >>> ranking = searcher.scores("robot").fuse()
    >>> meme = workspace.catalogue.memes.get(int(ranking.ranked_ids[0]))
    >>> [hit] = explain(workspace.catalogue, searcher.index, ranking, memes=[meme], terms=["robot"], certain=[])
    >>> round(sum(hit.explanation.values()), 6), hit.certain
    (1.0, False)
    """
    ids = np.array([meme.id for meme in memes], np.int64)
    places = np.searchsorted(ranking.ids, ids)
    shares = _field_shares(index, ranking, ids, places, terms)
    highlighter = Highlighter(frozenset(terms), tuple(quotes))
    worth = dict(zip(ids.tolist(), map(_fields_to_show, shares), strict=True))
    chosen = _snippets(catalogue, worth, highlighter)
    # What matches by its words names them, also where they are a small part of the score.
    unnamed = {
        id: [field for field in share if field is not Field.NAME and field not in worth[id]]
        for id, share in zip(ids.tolist(), shares, strict=True)
        if id in certain and not any(snippet.words for snippet in chosen[id])
    }
    found = _snippets(catalogue, unnamed, highlighter)
    chosen |= {id: own for id, own in found.items() if any(snippet.words for snippet in own)}
    return [
        Hit(
            meme=meme,
            score=round(float(ranking.scores[place]), 6),
            explanation=shares_of_meme,
            snippets=chosen[meme.id],
            reasons=reasons_of(
                meme,
                chosen[meme.id],
                ranking,
                place=int(place),
                highlighter=highlighter,
                is_named=meme.id in named,
            ),
            certain=meme.id in certain,
        )
        for meme, place, shares_of_meme in zip(memes, places, shares, strict=True)
    ]


def _field_shares(
    index: Index, ranking: FusedRanking, ids: Ids, places: np.ndarray, terms: Sequence[str]
) -> list[Mapping[Field, float]]:
    """Return, for each meme, its fields' shares of the score, largest first."""
    by_field: dict[Field, np.ndarray] = {}
    for signal, part in ranking.contributions.items():
        if signal == LEXICAL_ALL:
            # All text was searched as one; each field gets the share that its own words matched.
            answers = index.judge([Words(tuple(terms), field.value) for field in TEXT_FIELDS], ids)
            own = dict(zip(TEXT_FIELDS, map(np.nan_to_num, answers), strict=True))
            total = np.maximum(sum(own.values()), 1e-9)
            for field, scores in own.items():
                by_field[field] = by_field.get(field, 0.0) + part[places] * scores / total
            continue
        assert signal.field is not None
        field = signal.field
        by_field[field] = by_field.get(field, 0.0) + part[places]
    found: list[Mapping[Field, float]] = []
    for at in range(len(ids)):
        own_shares = {field: float(part[at]) for field, part in by_field.items() if part[at] > 0}
        whole = sum(own_shares.values())
        ranked = sorted(own_shares.items(), key=lambda one: (-one[1], one[0]))
        found.append({field: share / whole for field, share in ranked})
    return found


def _snippets(
    catalogue: Catalogue, worth: Mapping[int, Sequence[Field]], highlighter: Highlighter
) -> dict[int, tuple[Snippet, ...]]:
    """Return, by meme, snippets of fields that are worth one, those with the query's words first.

    Long texts make up most of all text, so they are read only for memes whose short texts do not contain the words.
    """
    matching: dict[int, list[Snippet]] = {id: [] for id in worth}
    others: dict[int, list[Passage]] = {id: [] for id in worth}
    for long in (False, True):
        open_ids = [id for id in worth if len(matching[id]) < SNIPPETS]
        fields = {field for id in open_ids for field in worth[id] if (field in LONG_FIELDS) == long}
        passages: dict[tuple[int, Field], list[Passage]] = {}
        for row in catalogue.texts.passages_of(open_ids, fields=fields) if fields else ():
            passages.setdefault((row.meme_id, row.passage.field), []).append(row.passage)
        for id in open_ids:
            for field in worth[id]:
                own = passages.get((id, field))
                if not own or len(matching[id]) == SNIPPETS:
                    continue
                found = best_snippet(own, highlighter)
                if found is not None:
                    says = any(highlighter.find_phrases(one.body) for one in own)
                    matching[id].insert(0 if says else len(matching[id]), found)
                else:
                    others[id].append(own[0])
    return {
        id: tuple([*marked, *(make_snippet(one, highlighter) for one in others[id])][: SNIPPETS if marked else 1])
        for id, marked in matching.items()
    }


def _fields_to_show(explanation: Mapping[Field, float]) -> list[Field]:
    """Return the fields that deserve a snippet; the name is left out, because every hit shows it anyway."""
    return [field for field, share in explanation.items() if share >= MIN_SHARE and field is not Field.NAME]
