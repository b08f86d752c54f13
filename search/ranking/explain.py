"""Why a meme is among the hits: each field's share of its score, and the piece of text that matched."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from search.catalogue import Catalogue
from search.index.columns import Ids
from search.index.generations import TEXT_FIELDS
from search.index.lexical import ALL_TEXT
from search.index.reader import Index
from search.meme import Field, Meme, Passage
from search.ranking.highlight import Marker, best_snippet, snippet
from search.ranking.retrievers import LIKE_PICTURE, LOOK, PICTURE, Ballot
from search.results import Hit, Snippet

FIELDS_OF = {LOOK: Field.LOOK, PICTURE: Field.PICTURE, LIKE_PICTURE: Field.PICTURE}
SNIPPETS = 2  # a hit has at most
SPEAKING = 0.08  # a share of the score from which a field is worth a snippet
ESSAYS = frozenset({Field.ANALYSIS})
COMMON = 0.2  # a share of all memes; a word that more of them hold tells nothing about any


def telling(index: Index, terms: Sequence[str]) -> list[str]:
    """Return the terms that tell memes apart; all of them when none does, as in "to be or not to be"."""
    most = COMMON * len(index.lexical)
    return [term for term in terms if index.lexical.document_frequency(term) <= most] or list(terms)


def explained(
    catalogue: Catalogue,
    index: Index,
    ballot: Ballot,
    *,
    memes: Sequence[Meme],
    terms: Sequence[str],
    certain: Collection[int],
) -> list[Hit]:
    """Return a hit for each of the memes, in their order; `terms` are the query's, to be marked.

    Those whose ids are among `certain` answer; the others come near.
    """
    ids = np.array([meme.id for meme in memes], np.int64)
    places = np.searchsorted(ballot.ids, ids)
    shares = _shares(index, ballot, ids, places, terms)
    chosen = _snippets(catalogue, ids.tolist(), shares, Marker(frozenset(terms)))
    return [
        Hit(
            meme=meme,
            score=round(float(ballot.fused.scores[place]), 6),
            explanation=why,
            snippets=chosen[meme.id],
            certain=meme.id in certain,
        )
        for meme, place, why in zip(memes, places, shares, strict=True)
    ]


def _shares(
    index: Index, ballot: Ballot, ids: Ids, places: np.ndarray, terms: Sequence[str]
) -> list[Mapping[Field, float]]:
    """Return, for each meme, its fields' shares of the score, largest first."""
    by_field: dict[Field, np.ndarray] = {}
    for name, part in ballot.fused.parts.items():
        if name == f"words.{ALL_TEXT}":
            # All text voted as one; each field answers for as much of it as its own words matched.
            own = {field: index.lexical.scores(terms, field, ids=ids).astype(np.float64) for field in TEXT_FIELDS}
            total = np.maximum(sum(own.values()), 1e-9)
            for field, scores in own.items():
                by_field[field] = by_field.get(field, 0.0) + part[places] * scores / total
            continue
        field = FIELDS_OF.get(name) or Field(name.partition(".")[2])
        by_field[field] = by_field.get(field, 0.0) + part[places]
    found: list[Mapping[Field, float]] = []
    for at in range(len(ids)):
        own_shares = {field: float(part[at]) for field, part in by_field.items() if part[at] > 0}
        whole = sum(own_shares.values())
        ranked = sorted(own_shares.items(), key=lambda one: (-one[1], one[0]))
        found.append({field: share / whole for field, share in ranked})
    return found


def _snippets(
    catalogue: Catalogue, ids: Sequence[int], shares: Sequence[Mapping[Field, float]], marker: Marker
) -> dict[int, tuple[Snippet, ...]]:
    """Return by meme a snippet of each field that says most of the score, those that hold the query's words first.

    Essays are read last, and only for memes whose short texts do not hold the words: they are most of all text.
    """
    worth = dict(zip(ids, map(_worth_showing, shares), strict=True))
    matching: dict[int, list[Snippet]] = {id: [] for id in ids}
    others: dict[int, list[Passage]] = {id: [] for id in ids}
    for essays in (False, True):
        open_ids = [id for id in ids if len(matching[id]) < SNIPPETS]
        fields = {field for id in open_ids for field in worth[id] if (field in ESSAYS) == essays}
        passages: dict[tuple[int, Field], list[Passage]] = {}
        for row in catalogue.texts.passages_of(open_ids, fields=fields) if fields else ():
            passages.setdefault((row.meme_id, row.passage.field), []).append(row.passage)
        for id in open_ids:
            for field in worth[id]:
                own = passages.get((id, field))
                if not own or len(matching[id]) == SNIPPETS:
                    continue
                found = best_snippet(own, marker)
                if found is not None:
                    matching[id].append(found)
                else:
                    others[id].append(own[0])
    return {
        id: tuple([*marked, *(snippet(one, marker) for one in others[id])][: SNIPPETS if marked else 1])
        for id, marked in matching.items()
    }


def _worth_showing(why: Mapping[Field, float]) -> list[Field]:
    """Return the fields whose texts say why a meme is there; its name and category are shown in any case."""
    return [field for field, share in why.items() if share >= SPEAKING and field is not Field.NAME]
