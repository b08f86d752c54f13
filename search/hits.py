"""Why a meme is among the hits: each field's share of its score, and the piece of text that matched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from search.catalogue import Catalogue
from search.generation import TEXT_FIELDS
from search.meme import Field, Hit, Meme, Passage, Snippet
from search.opened import OpenIndex
from search.snippets import Marker, best_passage, snippet
from search.table import Ids
from search.voters import LOOK, Ballot
from search.words import ALL_TEXT

SNIPPETS = 2  # a hit has at most
SPEAKING = 0.08  # a share of the score from which a field is worth a snippet
COMMON = 0.2  # a share of all memes; a word that more of them hold tells nothing about any


def telling(index: OpenIndex, terms: Sequence[str]) -> list[str]:
    """Return the terms that tell memes apart; all of them when none does, as in "to be or not to be"."""
    most = COMMON * len(index.words)
    return [term for term in terms if index.words.document_frequency(term) <= most] or list(terms)


def explained(
    catalogue: Catalogue, index: OpenIndex, ballot: Ballot, *, memes: Sequence[Meme], terms: Sequence[str]
) -> list[Hit]:
    """Return a hit for each of the memes, in their order; `terms` are the query's, to be marked."""
    ids = np.array([meme.id for meme in memes], np.int64)
    places = np.searchsorted(ballot.ids, ids)
    shares = _shares(index, ballot, ids, places, terms)
    passages: dict[int, list[Passage]] = {meme.id: [] for meme in memes}
    shown = {field for why in shares for field in _worth_showing(why)}
    for row in catalogue.texts.passages_of(ids.tolist(), fields=shown):
        passages[row.meme_id].append(row.passage)
    marker = Marker(frozenset(terms))
    return [
        Hit(
            meme=meme,
            score=round(float(ballot.fused.scores[place]), 6),
            why=why,
            snippets=_snippets(passages[meme.id], why, marker),
        )
        for meme, place, why in zip(memes, places, shares, strict=True)
    ]


def _shares(
    index: OpenIndex, ballot: Ballot, ids: Ids, places: np.ndarray, terms: Sequence[str]
) -> list[Mapping[Field, float]]:
    """Return, for each meme, its fields' shares of the score, largest first."""
    by_field: dict[Field, np.ndarray] = {}
    for name, part in ballot.fused.parts.items():
        if name == f"words.{ALL_TEXT}":
            # All text voted as one; each field answers for as much of it as its own words matched.
            own = {field: index.words.scores(terms, field, ids=ids).astype(np.float64) for field in TEXT_FIELDS}
            total = np.maximum(sum(own.values()), 1e-9)
            for field, scores in own.items():
                by_field[field] = by_field.get(field, 0.0) + part[places] * scores / total
            continue
        field = Field.LOOK if name == LOOK else Field(name.partition(".")[2])
        by_field[field] = by_field.get(field, 0.0) + part[places]
    found: list[Mapping[Field, float]] = []
    for at in range(len(ids)):
        own_shares = {field: float(part[at]) for field, part in by_field.items() if part[at] > 0}
        whole = sum(own_shares.values())
        ranked = sorted(own_shares.items(), key=lambda one: (-one[1], one[0]))
        found.append({field: share / whole for field, share in ranked})
    return found


def _snippets(passages: Sequence[Passage], why: Mapping[Field, float], marker: Marker) -> tuple[Snippet, ...]:
    """Return a snippet of each field that says most of the score, those that hold the query's words first."""
    matching: list[Snippet] = []
    others: list[Passage] = []
    for field in _worth_showing(why):
        own = [passage for passage in passages if passage.field is field]
        if not own or len(matching) == SNIPPETS:
            continue
        best = best_passage(own, marker)
        if best is not None:
            matching.append(snippet(best, marker))
        else:
            others.append(own[0])
    return tuple([*matching, *(snippet(one, marker) for one in others)][: SNIPPETS if matching else 1])


def _worth_showing(why: Mapping[Field, float]) -> list[Field]:
    """Return the fields whose texts say why a meme is there; its name and category are shown in any case."""
    return [field for field, share in why.items() if share >= SPEAKING and field is not Field.NAME]
