"""From a query to ranked memes: each field votes, fusion joins the votes, and each hit says why it is there."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from search.catalogue import Catalogue
from search.encoders import TextEncoder, load_text_encoder
from search.errors import IndexUnusable, NotFound, WrongUse
from search.fingerprints import PDQ, look, pdq, pdq_mirrored
from search.generation import TEXT_FIELDS, live_generation
from search.hits import explained, telling
from search.meme import Answer, Field, Hit, Meme
from search.opened import OpenIndex, open_index
from search.query import Query, parse
from search.settings import Settings
from search.spelling import spelt
from search.table import Ids
from search.voters import LOOK, Ballot, Voter, count, voter_of_look, voters_of_meaning, voters_of_quote, voters_of_words
from search.whitening import Whitening
from search.words import terms, tokens

CERTAIN = 0.1  # of a score: below, as many memes are beside the point as to it


class Likeness(StrEnum):
    """By what two memes can be alike."""

    LOOK = "look"
    MEANING = "meaning"
    WORDS = "words"
    ALL = "all"


LIKENESS_WEIGHTS: Mapping[Likeness, Mapping[str, float]] = {
    Likeness.LOOK: {LOOK: 1.0},
    Likeness.MEANING: {"meaning.description": 0.5, "meaning.visual": 0.2, "meaning.analysis": 0.2, "meaning.ocr": 0.3},
    Likeness.WORDS: {"words.ocr": 0.6, "meaning.ocr": 0.4},
    Likeness.ALL: {
        LOOK: 0.4,
        "meaning.description": 0.2,
        "meaning.visual": 0.1,
        "meaning.ocr": 0.2,
        "words.ocr": 0.2,
    },
}


class Sort(StrEnum):
    """The order of an answer's hits."""

    RELEVANCE = "relevance"
    NEWEST = "newest"


@dataclass(frozen=True)
class IndexStatus:
    """What the live generation holds. `missing` has a sentence for each thing that search does without."""

    generation: str
    built_at: datetime
    revision: int
    fresh: bool
    memes: int
    rows: Mapping[str, int]
    text_encoder: str
    image_encoder: str
    missing: tuple[str, ...]


def open_searcher(settings: Settings, catalogue: Catalogue, *, text_encoder: TextEncoder | None = None) -> Searcher:
    """Return a searcher over the live generation; raise IndexUnusable or ModelUnavailable, saying what mends it."""
    index = open_index(settings.data / "index")
    return Searcher(settings, catalogue, index=index, text_encoder=text_encoder or load_text_encoder(settings))


class Searcher:
    """Holds a generation of the index and the text encoder; any thread may ask it."""

    def __init__(
        self, settings: Settings, catalogue: Catalogue, *, index: OpenIndex, text_encoder: TextEncoder
    ) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._encoder = text_encoder
        self._switching = threading.Lock()
        self._pool = ThreadPoolExecutor(settings.threads, thread_name_prefix="search")
        self._refused = ("", "")  # a generation that cannot be used, and why
        self._index = self._fitting(index)

    def _fitting(self, index: OpenIndex) -> OpenIndex:
        made_by = index.manifest.text_encoder
        if made_by != self._encoder.name:
            raise IndexUnusable(
                f"The index was made by {made_by}, the text encoder is {self._encoder.name}.",
                hint="Run `memetica index`, or choose the other encoder with MEMETICA_TEXT_ENCODER.",
            )
        return index

    def reload_if_changed(self) -> bool:
        """Switch to the live generation when it is another; return whether it was.

        Requests under way keep the one that they began with. A generation that cannot be used is not switched to: the
        one before goes on, and `status` says why.
        """
        folder = self._settings.data / "index"
        with self._switching:
            try:
                name = live_generation(folder)
                if name in (None, self._index.name, self._refused[0]):
                    return False
                self._index = self._fitting(open_index(folder))
            except IndexUnusable as error:
                self._refused = (live_generation(folder) or "", f"{error.message} {error.hint}".strip())
                return False
            self._refused = ("", "")
            return True

    def status(self) -> IndexStatus:
        """Return what the live generation holds and lacks."""
        self.reload_if_changed()
        manifest = self._index.manifest
        return IndexStatus(
            generation=self._index.name,
            built_at=manifest.built_at,
            revision=manifest.revision,
            fresh=manifest.revision == self._catalogue.revision(),
            memes=manifest.memes,
            rows=dict(manifest.rows),
            text_encoder=manifest.text_encoder,
            image_encoder=manifest.image_encoder,
            missing=self._missing(),
        )

    def _missing(self) -> tuple[str, ...]:
        index = self._index
        found = [f"The newest index cannot be used: {self._refused[1]}"] if self._refused[1] else []
        if index.manifest.memes and not index.meanings:
            found.append("No text has been embedded: search goes by words alone. Run `memetica index`.")
        for field, what in ((Field.OCR, "text read from their pictures"), (Field.DESCRIPTION, "description")):
            without = index.manifest.memes - int(np.count_nonzero(index.table.has[field]))
            if without:
                found.append(f"{without:,} of {index.manifest.memes:,} memes have no {what}.")
        if not index.manifest.image_encoder:
            found.append(
                "No image encoder is configured: words find pictures by OCR, descriptions and names, pictures find "
                "their like by colours, edges and fingerprints."
            )
        return tuple(found)

    def search(
        self,
        query: str = "",
        *,
        k: int = 30,
        offset: int = 0,
        picture: Image.Image | None = None,
        category: str | None = None,
        sort: str = Sort.RELEVANCE,
    ) -> Answer:
        """Return a page of the memes that answer words, a picture, or both; of all memes, newest first, without them.

        A category holds those below it: `TV` holds `TV - Star Trek`. Raises NotFound for an unknown category and
        WrongUse for a page or an order that cannot be.
        """
        begun = perf_counter()
        order = _checked(k, offset, sort)
        self.reload_if_changed()
        index = self._index
        asked = parse(query)
        understood: dict[str, object] = {"text": asked.text, "sort": order.value}
        understood |= {"shortened": True} if asked.shortened else {}
        understood |= {"picture": True} if picture is not None else {}
        allowed = None
        if category is not None:
            allowed = index.table.in_category(category)
            if allowed is None:
                raise NotFound(f"There is no category {category!r}.")
            understood["category"] = category
        if asked.is_empty and picture is None:
            newest = index.table.newest if allowed is None else index.table.newest_of(allowed)
            return self._page(self._present(index, newest), k, offset, understood, begun)
        typed = asked.text
        found = spelt(asked, index.words)
        asked = found.query
        if found.meant:
            understood["spelling"] = {word: list(others) for word, others in found.meant.items()}
        voters = [] if asked.is_empty else self._voters_of_text(index, asked, read=typed)
        if picture is not None:
            bits = np.stack([pdq(picture)[0], pdq_mirrored(picture)])
            voters.append(voter_of_look(index, look(picture)[None], bits))
        ballot = count(voters, self._settings.weights, pool=self._pool, allowed=allowed)
        return self._answer(index, ballot, asked.terms, k, offset, understood, begun, sort=order)

    def similar(self, meme_id: int, *, by: str = Likeness.ALL, k: int = 12, offset: int = 0) -> Answer:
        """Return a page of a meme's relatives, never itself; raise NotFound when there is no such meme."""
        begun = perf_counter()
        _checked(k, offset, Sort.RELEVANCE)
        if by not in set(Likeness):
            raise WrongUse(f"There is no likeness by {by!r}.", hint=f"There are {', '.join(Likeness)}.")
        self.reload_if_changed()
        index = self._index
        meme = self._catalogue.memes.get(meme_id)
        weights = LIKENESS_WEIGHTS[Likeness(by)]
        voters: list[Voter] = []
        if LOOK in weights:
            voters += self._voters_of_own_look(index, meme)
        voters += voters_of_meaning(index, _centres(index, meme))
        wanted: Sequence[str] = ()
        if "words.ocr" in weights:
            passages = [row.passage for row in self._catalogue.texts.passages_of([meme.id])]
            wanted = terms(" ".join(passage.body for passage in passages if passage.field is Field.OCR))
            voters += voters_of_words(index, wanted, ["words.ocr"])
        ballot = count(voters, weights, pool=self._pool, excluded=meme.id)
        understood: dict[str, object] = {"like": meme.id, "path": meme.path, "by": Likeness(by).value}
        marked = wanted if by == Likeness.WORDS else ()
        return self._answer(index, ballot, marked, k, offset, understood, begun)

    def _voters_of_text(self, index: OpenIndex, asked: Query, *, read: str) -> list[Voter]:
        """Return the voters for a query's terms and for the meaning of a text, which the encoder reads.

        It reads what was typed: it knows words that the library lacks, and sees through slips of the finger.
        """
        meanings: list[Voter] = []
        if index.whitening is not None:
            # The model reads in another thread while the words are looked up in this one.
            vector = self._pool.submit(self._direction, index.whitening, read)
            meanings = voters_of_meaning(index, dict.fromkeys(TEXT_FIELDS, vector))
        voters = voters_of_words(index, asked.terms, list(self._settings.weights))
        voters += voters_of_quote(index, [token.term for token in tokens(asked.text)])
        return voters + meanings

    def _direction(self, whitening: Whitening, text: str) -> NDArray[np.float32]:
        """Return the whitened direction ([d]) of a text's meaning."""
        found: NDArray[np.float32] = whitening(self._encoder.encode([text]))[0]
        return found

    def _voters_of_own_look(self, index: OpenIndex, meme: Meme) -> list[Voter]:
        bits = [
            np.frombuffer(one, np.uint8) for one in self._catalogue.pictures.fingerprints_of(meme.content_hash, PDQ)
        ]
        looks = index.looks.rows_of(meme.id)
        return [voter_of_look(index, looks, np.stack(bits))] if bits else []

    def _answer(
        self,
        index: OpenIndex,
        ballot: Ballot,
        wanted: Sequence[str],
        k: int,
        offset: int,
        understood: dict[str, object],
        begun: float,
        *,
        sort: Sort = Sort.RELEVANCE,
    ) -> Answer:
        """Return a page of a ranking: hits with their reasons."""
        scores = ballot.fused.scores
        places = [at for at in ballot.fused.order if scores[at] > 0]
        present = set(self._present(index, ballot.ids[places]).tolist())
        places = [at for at in places if int(ballot.ids[at]) in present]
        understood["certain"] = sum(float(scores[at]) >= CERTAIN for at in places)
        if sort is Sort.NEWEST:
            first_seen = index.table.first_seen[index.table.rows(ballot.ids)]
            places.sort(key=lambda at: (-int(first_seen[at]), -int(ballot.ids[at])))
        page = places[offset : offset + k]
        memes = self._catalogue.memes.many([int(ballot.ids[at]) for at in page])
        hits = explained(self._catalogue, index, ballot, memes=memes, terms=telling(index, wanted))
        return Answer(tuple(hits), len(places), understood, _milliseconds(begun))

    def _page(self, ids: Ids, k: int, offset: int, understood: dict[str, object], begun: float) -> Answer:
        memes = self._catalogue.memes.many(ids[offset : offset + k].tolist())
        return Answer(tuple(Hit(meme, 0.0) for meme in memes), len(ids), understood, _milliseconds(begun))

    def _present(self, index: OpenIndex, ids: Ids) -> Ids:
        """Return the ids, in their order, without memes that have vanished since the index was built."""
        if index.manifest.revision == self._catalogue.revision():
            return ids
        return ids[~np.isin(ids, self._catalogue.memes.vanished_ids())]


def _centres(index: OpenIndex, meme: Meme) -> dict[Field, NDArray[np.float32]]:
    """Return, by field, the direction ([d]) in the middle of a meme's passages."""
    found = {}
    for field, passages in index.meanings.items():
        rows = passages.rows_of(meme.id)
        middle = rows.sum(axis=0)
        length = float(np.linalg.norm(middle))
        if length:
            found[field] = (middle / length).astype(np.float32)
    return found


def _checked(k: int, offset: int, sort: str) -> Sort:
    if k < 1 or offset < 0:
        raise WrongUse(
            f"There is no page of {k} hits from the {offset}th on.", hint="k is 1 or more, offset 0 or more."
        )
    if sort not in set(Sort):
        raise WrongUse(f"Hits cannot be sorted by {sort!r}.", hint=f"By {' or '.join(Sort)}.")
    return Sort(sort)


def _milliseconds(begun: float) -> float:
    return round((perf_counter() - begun) * 1000, 2)
