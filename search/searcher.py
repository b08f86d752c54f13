"""From a query to ranked memes: each field ranks, fusion joins them, and each hit says why it is there."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from search.catalogue import Catalogue
from search.encoders import TextEncoder, load_text_encoder
from search.errors import IndexUnusable, NotFound
from search.fingerprints import LOOK_DIMENSIONS, PDQ_BITS, look, pdq, pdq_mirrored
from search.fusion import Fused, Vote, fuse
from search.generation import Manifest, live_folder, live_generation, read_manifest
from search.meme import Answer, Field, Hit, Meme, Passage, Snippet
from search.settings import Settings
from search.snippets import matches, snippet
from search.vectors import BinaryIndex, Ids, VectorIndex
from search.words import ALL_TEXT, WordIndex, terms

TEXT_FIELDS = (Field.NAME, Field.OCR, Field.DESCRIPTION, Field.VISUAL, Field.ANALYSIS)
DEPTH = 200  # candidates that each field puts forward; all are then scored exactly by every field
MEANINGLESS = 0.05  # cosine that two texts have that share nothing, with MiniLM
ALIKE_BY_CHANCE = 0.35  # cosine of the looks of two pictures that share nothing


class Likeness(StrEnum):
    """By what two memes can be alike."""

    LOOK = "look"
    MEANING = "meaning"
    WORDS = "words"
    ALL = "all"


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
    rows: dict[str, int]
    text_encoder: str
    image_encoder: str
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Generation:
    """The opened files of one generation."""

    name: str
    manifest: Manifest
    words: WordIndex
    vectors: dict[Field, VectorIndex]
    fingerprints: BinaryIndex

    @classmethod
    def open(cls, index: Path) -> Generation:
        """Return the live generation; raise IndexUnusable when there is none or it is damaged."""
        folder = live_folder(index)
        manifest = read_manifest(folder)
        dimensions = manifest.encoders[manifest.text_encoder]
        vectors = {
            field: VectorIndex.open(folder / field.value, dimensions=dimensions)
            for field in TEXT_FIELDS
            if manifest.rows.get(field.value)
        }
        if manifest.rows.get(Field.LOOK.value):
            vectors[Field.LOOK] = VectorIndex.open(folder / Field.LOOK.value, dimensions=LOOK_DIMENSIONS)
        return cls(
            folder.name, manifest, WordIndex.open(folder / "words"), vectors, BinaryIndex.open(folder / "fingerprints")
        )


def open_searcher(settings: Settings, catalogue: Catalogue, *, text_encoder: TextEncoder | None = None) -> Searcher:
    """Return a searcher over the live generation; raise IndexUnusable or ModelUnavailable, saying what mends it."""
    return Searcher(settings, catalogue, text_encoder=text_encoder or load_text_encoder(settings))


class Searcher:
    """Holds a generation of the index and the text encoder; any thread may ask it."""

    def __init__(self, settings: Settings, catalogue: Catalogue, *, text_encoder: TextEncoder) -> None:
        self._index = settings.data / "index"
        self._settings = settings
        self._catalogue = catalogue
        self._encoder = text_encoder
        self._switching = threading.Lock()
        self._generation = self._opened()

    def _opened(self) -> Generation:
        generation = Generation.open(self._index)
        if generation.manifest.text_encoder != self._encoder.name:
            raise IndexUnusable(
                f"The index was made by {generation.manifest.text_encoder}, the text encoder is {self._encoder.name}.",
                hint="Run `memetica index`, or choose the other encoder with MEMETICA_TEXT_ENCODER.",
            )
        return generation

    def reload_if_changed(self) -> bool:
        """Switch to the live generation when it is another; return whether it was. Requests under way keep theirs."""
        if live_generation(self._index) == self._generation.name:
            return False
        with self._switching:
            if live_generation(self._index) == self._generation.name:
                return False
            self._generation = self._opened()
            return True

    def status(self) -> IndexStatus:
        """Return what the live generation holds and lacks."""
        self.reload_if_changed()
        manifest = self._generation.manifest
        missing = []
        if not manifest.image_encoder:
            missing.append(
                "Words cannot find pictures: no image encoder is configured. Search goes by OCR, descriptions and names."
            )
        return IndexStatus(
            generation=self._generation.name,
            built_at=manifest.built_at,
            revision=manifest.revision,
            fresh=manifest.revision == self._catalogue.revision(),
            memes=manifest.memes,
            rows=dict(manifest.rows),
            text_encoder=manifest.text_encoder,
            image_encoder=manifest.image_encoder,
            missing=tuple(missing),
        )

    def search(
        self,
        query: str = "",
        *,
        k: int = 30,
        offset: int = 0,
        picture: Image.Image | None = None,
        category: str | None = None,
        sort: Sort = Sort.RELEVANCE,
    ) -> Answer:
        """Return a page of the memes that answer words, a picture, or both; the newest memes when there is neither."""
        begun = perf_counter()
        self.reload_if_changed()
        query = " ".join(query.split())
        understood: dict[str, object] = {"text": query}
        if category is not None:
            understood["category"] = category
        if picture is not None:
            understood["picture"] = True
        if not query and picture is None:
            return self._newest(k, offset, category, understood, begun)
        generation = self._generation
        votes = _Votes(generation)
        if query:
            self._vote_by_words(votes, query)
        if picture is not None:
            votes.look(look(picture), np.stack([pdq(picture)[0], pdq_mirrored(picture)]))
        fused, ids = votes.count(self._settings, allowed=self._in_category(category))
        order = list(fused.order)
        if sort is Sort.NEWEST:
            memes = {meme.id: meme for meme in self._catalogue.memes.many(ids)}
            order = [at for at in order if ids[at] in memes]
            order.sort(key=lambda at: (memes[ids[at]].first_seen, ids[at]), reverse=True)
        hits = self._hits(fused, ids, order[offset : offset + k], query)
        return Answer(tuple(hits), len(order), understood, _milliseconds(begun))

    def similar(self, meme_id: int, *, by: Likeness = Likeness.ALL, k: int = 12, offset: int = 0) -> Answer:
        """Return a page of a meme's relatives, never itself; raise NotFound."""
        begun = perf_counter()
        self.reload_if_changed()
        meme = self._catalogue.memes.get(meme_id)
        votes = _Votes(self._generation)
        passages = [row.passage for row in self._catalogue.texts.passages_of([meme.id])]
        ocr = " ".join(passage.body for passage in passages if passage.field is Field.OCR)
        if by in (Likeness.LOOK, Likeness.ALL):
            self._vote_by_look(votes, meme)
        if by in (Likeness.MEANING, Likeness.ALL):
            for field in (Field.DESCRIPTION, Field.VISUAL, Field.OCR):
                index = self._generation.vectors.get(field)
                rows = index.rows_of(meme.id) if index is not None else np.empty((0, 1), np.float32)
                if len(rows):
                    centre = rows.mean(axis=0)
                    votes.meaning(field, (centre / np.linalg.norm(centre)).astype(np.float32))
        if by in (Likeness.WORDS, Likeness.ALL) and ocr:
            votes.words(Field.OCR, terms(ocr))
        fused, ids = votes.count(self._settings, excluded={meme.id}, weights=None if by is Likeness.ALL else _EQUAL)
        order = [at for at in fused.order if fused.scores[at] > 0]
        hits = self._hits(fused, ids, order[offset : offset + k], ocr if by is Likeness.WORDS else "")
        understood = {"like": meme.id, "path": meme.path, "by": by.value}
        return Answer(tuple(hits), len(order), understood, _milliseconds(begun))

    def _vote_by_words(self, votes: _Votes, query: str) -> None:
        wanted = terms(query)
        if wanted:
            votes.words(ALL_TEXT, wanted)
            for field in (Field.OCR, Field.NAME):
                votes.words(field, wanted)
        vector = self._encoder.encode([query])[0]
        for field in TEXT_FIELDS:
            votes.meaning(field, vector)

    def _vote_by_look(self, votes: _Votes, meme: Meme) -> None:
        index = self._generation.vectors.get(Field.LOOK)
        rows = index.rows_of(meme.id) if index is not None else []
        bits = [
            np.frombuffer(one, np.uint8) for one in self._catalogue.pictures.fingerprints_of(meme.content_hash, "pdq-1")
        ]
        if len(rows) and bits:
            votes.look(rows[0], np.stack(bits))

    def _in_category(self, category: str | None) -> set[int] | None:
        """Return the ids of a category's memes and of those below it, or None for every meme."""
        if category is None:
            return None
        found = set(self._catalogue.memes.ids_under(category))
        if not found:
            raise NotFound(f"There is no category {category}.")
        return found

    def _newest(self, k: int, offset: int, category: str | None, understood: dict[str, object], begun: float) -> Answer:
        memes = self._catalogue.memes.freshest(k, offset=offset, category=category)
        hits = tuple(Hit(meme, 0.0) for meme in memes)
        return Answer(hits, self._catalogue.memes.count(category=category), understood, _milliseconds(begun))

    def _hits(self, fused: Fused, ids: Sequence[int], order: Iterable[int], query: str) -> list[Hit]:
        places = list(order)
        memes = {meme.id: meme for meme in self._catalogue.memes.many([ids[at] for at in places])}
        passages: dict[int, list[Passage]] = {}
        for row in self._catalogue.texts.passages_of(list(memes)):
            passages.setdefault(row.meme_id, []).append(row.passage)
        wanted = set(terms(query))
        hits = []
        for at in places:
            if ids[at] not in memes:
                continue  # gone since the index was built
            why = _shares({name: float(part[at]) for name, part in fused.parts.items()})
            snippets = _snippets(passages.get(ids[at], []), wanted, why)
            hits.append(Hit(memes[ids[at]], round(float(fused.scores[at]), 6), why, snippets))
        return hits


_EQUAL: dict[str, float] = {}


class _Votes:
    """Gathers which memes each voter puts forward, then has every voter score all of them exactly."""

    def __init__(self, generation: Generation) -> None:
        self._generation = generation
        self._candidates: list[Ids] = []
        self._words: list[tuple[Field | str, list[str]]] = []
        self._meanings: list[tuple[Field, NDArray[np.float32]]] = []
        self._looks: list[tuple[NDArray[np.float32], NDArray[np.uint8]]] = []

    def words(self, field: Field | str, wanted: list[str]) -> None:
        """Let the words of a field vote."""
        self._words.append((field, wanted))
        self._candidates.append(self._generation.words.search(wanted, field, k=DEPTH)[0])

    def meaning(self, field: Field, vector: NDArray[np.float32]) -> None:
        """Let the embeddings of a field vote."""
        index = self._generation.vectors.get(field)
        if index is not None:
            self._meanings.append((field, vector))
            self._candidates.append(index.search(vector, DEPTH)[0])

    def look(self, vector: NDArray[np.float32], bits: NDArray[np.uint8]) -> None:
        """Let looks and fingerprints vote."""
        self._looks.append((vector, bits))
        index = self._generation.vectors.get(Field.LOOK)
        if index is not None:
            self._candidates.append(index.search(vector, DEPTH)[0])
        for one in bits:
            self._candidates.append(self._generation.fingerprints.search(one, 20)[0])

    def count(
        self,
        settings: Settings,
        *,
        allowed: set[int] | None = None,
        excluded: set[int] | None = None,
        weights: dict[str, float] | None = None,
    ) -> tuple[Fused, list[int]]:
        """Return the fused ranking and the candidates' ids."""
        every = np.unique(np.concatenate(self._candidates)) if self._candidates else np.empty(0, np.int64)
        ids = np.array(
            [id for id in every.tolist() if (allowed is None or id in allowed) and id not in (excluded or ())], np.int64
        )
        chosen = settings.weights if weights is None else weights
        votes = []
        for field, wanted in self._words:
            scores = self._generation.words.scores(wanted, field, ids=ids).astype(np.float64)
            name = f"words.{field}"
            votes.append(Vote(name, scores, chosen.get(name, 1.0 if weights is not None else 0.0), 0.0))
        for field, vector in self._meanings:
            found = self._generation.vectors[field].scores(vector, ids=ids).astype(np.float64)
            name = f"meaning.{field}"
            votes.append(Vote(name, found, chosen.get(name, 1.0 if weights is not None else 0.0), MEANINGLESS))
        for vector, bits in self._looks:
            votes.append(Vote("look", self._look_scores(vector, bits, ids), chosen.get("look", 1.0), ALIKE_BY_CHANCE))
        return fuse([vote for vote in votes if vote.weight > 0], ids=ids.tolist()), ids.tolist()

    def _look_scores(self, vector: NDArray[np.float32], bits: NDArray[np.uint8], ids: Ids) -> NDArray[np.float64]:
        """Return how alike pictures look: the descriptor's cosine, or near 1 where fingerprints agree."""
        index = self._generation.vectors.get(Field.LOOK)
        scores = np.full(len(ids), np.nan) if index is None else index.scores(vector, ids=ids).astype(np.float64)
        place = {id: at for at, id in enumerate(ids.tolist())}
        for one in bits:
            for id, distance in zip(*self._generation.fingerprints.search(one, 20), strict=True):
                if int(id) in place and distance <= PDQ_BITS // 4:
                    sure = 1.0 - float(distance) / PDQ_BITS
                    scores[place[int(id)]] = np.nanmax([scores[place[int(id)]], sure])
        return scores


def _shares(parts: dict[str, float]) -> dict[Field, float]:
    """Return each field's share of a score, adding up to 1, largest first."""
    by_field: dict[Field, float] = {}
    for name, part in parts.items():
        field = _FIELD_OF.get(name) or Field(name.split(".")[-1])
        by_field[field] = by_field.get(field, 0.0) + part
    total = sum(by_field.values())
    if total <= 0:
        return {}
    ranked = sorted(by_field.items(), key=lambda one: (-one[1], one[0]))
    return {field: part / total for field, part in ranked if part > 0}


_FIELD_OF = {"look": Field.LOOK}


def _snippets(passages: list[Passage], wanted: set[str], why: dict[Field, float]) -> tuple[Snippet, ...]:
    """Return a snippet of each field that holds the query's words, the field with the largest share first."""
    best: dict[Field, tuple[int, Passage]] = {}
    for passage in passages:
        count = matches(passage, wanted) if wanted else 0
        if count and count > best.get(passage.field, (0, passage))[0]:
            best[passage.field] = (count, passage)
    ranked = sorted(best.items(), key=lambda one: (-why.get(one[0], 0.0), one[0]))
    return tuple(snippet(passage, wanted) for _, (_, passage) in ranked if passage.field is not Field.NAME)[:3]


def _milliseconds(begun: float) -> float:
    return round((perf_counter() - begun) * 1000, 2)
