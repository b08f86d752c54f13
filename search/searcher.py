"""From a query to ranked memes: each field votes, fusion joins the votes, and each hit says why it is there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from search.catalogue import open_catalogue
from search.encoders.base import ImageEncoder, TextEncoder
from search.encoders.registry import load_image_encoder, load_text_encoder
from search.errors import IndexUnusable, MemeticaError, ModelUnavailable, NotFound, UnreadableFile, WrongUse
from search.images.fingerprints import PDQ, look, pdq, pdq_mirrored
from search.index.analyzer import query_terms, tokenize
from search.index.generations import TEXT_FIELDS, live_generation
from search.index.reader import Index
from search.index.status import IndexStatus, image_encoder_notes, missing_data_notes
from search.index.whitening import Whitening
from search.meme import Field, Likeness, Meme, Sort
from search.query.filters import narrowed
from search.query.parser import Part, Query, parse, words_only
from search.query.spelling import Spelt, spelt
from search.ranking.paging import Page, listed, ranked
from search.ranking.relevance import asked_of, judge
from search.ranking.retrievers import (
    LIKE_PICTURE,
    LOOK,
    PICTURE,
    QUOTED,
    Voter,
    count,
    heard,
    joined,
    voter_of_described_picture,
    voter_of_like_picture,
    voter_of_look,
    voters_of_meaning,
    voters_of_quote,
    voters_of_words,
)
from search.results import Answer, Hit, Operator, Understood
from search.settings import Settings
from search.workspace import Workspace

LIKENESS_WEIGHTS: Mapping[Likeness, Mapping[str, float]] = {
    Likeness.LOOK: {LOOK: 0.6, LIKE_PICTURE: 0.4},
    Likeness.MEANING: {"meaning.description": 0.5, "meaning.visual": 0.2, "meaning.analysis": 0.2, "meaning.ocr": 0.3},
    Likeness.WORDS: {"words.ocr": 0.6, "meaning.ocr": 0.4},
    Likeness.ALL: {
        LOOK: 0.4,
        LIKE_PICTURE: 0.3,
        "meaning.description": 0.2,
        "meaning.visual": 0.1,
        "meaning.ocr": 0.2,
        "words.ocr": 0.2,
    },
}


DEFAULT_DATA = ".memetica"

# "Like this, but with dogs": what words say of a picture counts so many times more beside one that it shall be like.
BUT = 3.0


class Searcher:
    """Searches the live generation of an index. Any thread may use it; close it, or use it in a `with` statement.

    >>> with Searcher(workspace, text_encoder=encoder) as searcher:
    ...     searcher.search("dog in a burning room")[0].path
    'Dogs/fine.png'
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        text_encoder: TextEncoder | None = None,
        index: Index | None = None,
        load_images: Callable[[Settings, str], ImageEncoder] = load_image_encoder,
    ) -> None:
        """Search a workspace that the caller keeps open.

        `load_images` returns the image encoder of a name; it is called when a search first needs one. Raises
        IndexUnusable or ModelUnavailable when there is no index or no text encoder.
        """
        # The index first: that there is none is found without loading a model.
        index = index or Index.open(workspace.index)
        self._workspace = workspace
        self._owns_workspace = False
        self._settings = workspace.settings
        self._load_images = load_images
        self._chosen, self._trouble = workspace.settings.image_encoder, ""
        self._blind = ""  # why the image encoder that made the index cannot be used
        self._catalogue = workspace.catalogue
        self._encoder = text_encoder or load_text_encoder(workspace.settings)
        self._switching = threading.Lock()
        self._refused = ("", "")  # a generation that cannot be used, and why
        self._index = self._fitting(index)
        self._closed = False
        self._pool = ThreadPoolExecutor(workspace.settings.threads, thread_name_prefix="search")

    @classmethod
    def open(
        cls,
        data: Path | str = DEFAULT_DATA,
        *,
        settings: Settings | None = None,
        text_encoder: TextEncoder | None = None,
    ) -> Self:
        """Return a searcher over a data folder; closing the searcher closes the folder's catalogue too.

        `settings` replace those that the environment and the data folder give; they name the data folder themselves.
        Raises DataFolderError, IndexUnusable or ModelUnavailable, with a hint; WrongUse when `settings` name another
        data folder than `data`.

        >>> searcher = Searcher.open(workspace.data, text_encoder=encoder)
        >>> searcher.search("robot").total
        7
        >>> searcher.close()
        """
        if settings is None:
            workspace = Workspace.open(data)
        else:
            if Path(data) != Path(DEFAULT_DATA) and Path(data).expanduser().absolute() != settings.absolute().data:
                raise WrongUse(
                    f"The settings name the data folder {settings.data}, not {data}.", hint="Leave out one of the two."
                )
            workspace = Workspace(settings, open_catalogue(settings, create=False))
        try:
            searcher = cls(workspace, text_encoder=text_encoder)
        except BaseException:
            workspace.close()
            raise
        searcher._owns_workspace = True
        return searcher

    def close(self) -> None:
        """Stop the searcher's threads, and close the workspace if `open` opened it. Closing again does nothing."""
        if self._closed:
            return
        self._closed = True
        self._pool.shutdown()
        if self._owns_workspace:
            self._workspace.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _fitting(self, index: Index) -> Index:
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
                self._index = self._fitting(Index.open(folder))
            except IndexUnusable as error:
                self._refused = (live_generation(folder) or "", f"{error.message} {error.hint}".strip())
                return False
            self._refused = ("", "")
            return True

    def choose(self, image_encoder: str, *, trouble: MemeticaError | None = None) -> None:
        """Take note of the image encoder chosen by now, and why it cannot be had; the index is searched by its own."""
        self._chosen = image_encoder
        self._trouble = f"{trouble.message} {trouble.hint}".strip() if trouble is not None else ""

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
        found += missing_data_notes(index) + image_encoder_notes(index, chosen=self._chosen, trouble=self._trouble)
        if index.manifest.image_encoder and self._seeing(index) is None:
            found.append(f"Words do not find pictures: {self._blind}")
        return tuple(found)

    def _seeing(self, index: Index) -> ImageEncoder | None:
        """Return the image encoder that made an index, None when there was none or it cannot be used."""
        if index.pictures is None or not len(index.pictures):
            return None
        try:
            encoder = self._load_images(self._settings, index.manifest.image_encoder)
        except ModelUnavailable as error:
            self._blind = f"{error.message} {error.hint}".strip()
            return None
        self._blind = ""
        return encoder

    def search(
        self,
        query: str = "",
        *,
        image: Image.Image | Path | None = None,
        k: int = 30,
        offset: int = 0,
        sort: Sort = Sort.RELEVANCE,
        category: str | None = None,
        collapse: bool = False,
        verbatim: bool = False,
    ) -> Answer:
        """Return a page of the memes that answer a query, a picture, or both; of all memes, newest first, without them.

        A category holds those below it: `TV` holds `TV - Star Trek`. With `collapse`, variants are one hit;
        `verbatim` takes words as they are spelt. Raises NotFound for an unknown category and WrongUse for a page or
        an order that cannot be.
        """
        begun = perf_counter()
        order = _checked(k, offset, sort)
        self.reload_if_changed()
        index = self._index
        asked = parse(query)
        left = narrowed(asked, index)
        picture = _opened(image, max_pixels=self._settings.max_pixels) if image is not None else None
        understood = Understood(
            text=asked.text,
            typed=str(asked),
            sort=order,
            is_shortened=asked.shortened,
            has_image=picture is not None,
            operators=tuple(_operator(part, means) for part, means in left.understood),
            notices=tuple(left.notices),
        )
        allowed = left.allowed
        if category is not None:
            inside = index.columns.in_category(category)
            if inside is None:
                raise NotFound(f"There is no category {category!r}.")
            understood = replace(understood, category=category)
            allowed = inside if allowed is None else np.intersect1d(inside, allowed, assume_unique=True)
        page = Page(k, offset, order, collapse and not left.opens_variants, begun, self._workspace.thumbnails)
        if asked.is_empty and picture is None and not left.likes:
            newest = index.columns.newest if allowed is None else index.columns.newest_of(allowed)
            return listed(self._catalogue, index, newest, understood=understood, page=page)
        beside = picture is not None or bool(left.likes)
        weighed, wanted, spelling = self._voters_of_text(index, asked, verbatim=verbatim, beside=beside)
        if spelling.meant:
            understood = replace(understood, spelling=spelling.meant, showing=spelling.query.text)
        for like in left.likes:
            voters, _ = self._voters_of_meme(index, self._catalogue.memes.get(like.id), LIKENESS_WEIGHTS[Likeness.ALL])
            weighed += [(voter, like.weight) for voter in voters]
        if picture is not None:
            bits = np.stack([pdq(picture)[0], pdq_mirrored(picture)])
            weighed.append((voter_of_look(index, look(picture)[None], bits), 1.0))
            seeing = self._seeing(index)
            if seeing is not None:
                weighed.append((voter_of_like_picture(index, list(seeing.encode_images([picture]))), 1.0))
        only_likes = asked.is_empty and picture is None
        weights = LIKENESS_WEIGHTS[Likeness.ALL] if only_likes else self._settings.weights
        ballot = count(joined(weighed), heard(weights, weighed), pool=self._pool, allowed=allowed)
        believed = None
        if not asked.is_empty and not left.likes and picture is None:
            slips = set(query_terms(" ".join(spelling.meant)))
            rare = asked_of(index.lexical, [term for term in wanted if term not in slips])
            believed = judge(ballot.fused, rare).certain
        return ranked(
            self._catalogue, index, ballot, wanted=wanted, understood=understood, page=page, believed=believed
        )

    def similar(
        self, meme: Meme | Hit | int | str, *, by: Likeness = Likeness.ALL, k: int = 12, offset: int = 0
    ) -> Answer:
        """Return a page of the memes similar to one, without itself.

        The meme may be given as a meme, a hit, an id, or a path relative to the library. Raises NotFound when there is
        no such meme, WrongUse for an unknown likeness or page.

        >>> searcher.similar("Dogs/fine.png", k=3).understood.similar_to
        <Meme ... 'Dogs/fine.png'>
        """
        begun = perf_counter()
        _checked(k, offset, Sort.RELEVANCE)
        if by not in set(Likeness):
            raise WrongUse(f"There is no likeness by {by!r}.", hint=f"There are {', '.join(Likeness)}.")
        self.reload_if_changed()
        index = self._index
        meme = self._meme(meme)
        weights = LIKENESS_WEIGHTS[Likeness(by)]
        voters, wanted = self._voters_of_meme(index, meme, weights)
        ballot = count(voters, weights, pool=self._pool, excluded=meme.id)
        understood = Understood(similar_to=meme, likeness=Likeness(by))
        marked = wanted if by == Likeness.WORDS else ()
        page = Page(k, offset, Sort.RELEVANCE, False, begun, self._workspace.thumbnails)
        return ranked(self._catalogue, index, ballot, wanted=marked, understood=understood, page=page)

    def _meme(self, named: Meme | Hit | int | str) -> Meme:
        if isinstance(named, Hit):
            return named.meme
        if isinstance(named, int):
            return self._catalogue.memes.get(named)
        return self._catalogue.memes.at(named) if isinstance(named, str) else named

    def _voters_of_meme(
        self, index: Index, meme: Meme, weights: Mapping[str, float]
    ) -> tuple[list[Voter], Sequence[str]]:
        """Return the voters for what is like a meme, as far as these weights hear them, and the terms that it says."""
        voters = self._voters_of_own_look(index, meme) if LOOK in weights else []
        own = index.pictures.rows_of(meme.id) if index.pictures is not None and LIKE_PICTURE in weights else ()
        if len(own):
            voters.append(voter_of_like_picture(index, list(own)))
        voters += voters_of_meaning(index, _centres(index, meme))
        wanted: Sequence[str] = ()
        if "words.ocr" in weights:
            passages = [row.passage for row in self._catalogue.texts.passages_of([meme.id])]
            wanted = query_terms(" ".join(passage.body for passage in passages if passage.field is Field.OCR))
            voters += voters_of_words(index, wanted, ["words.ocr"])
        return voters, wanted

    def _voters_of_text(
        self, index: Index, asked: Query, *, verbatim: bool, beside: bool
    ) -> tuple[list[tuple[Voter, float]], Sequence[str], Spelt]:
        """Return the voters for a query's words with their weights, and the terms; say what a slip was read as.

        The words stand `beside` a picture or a meme where they say what should be different about it.

        The encoder reads what was typed: it knows words that the library lacks, and sees through slips of the finger.
        """
        if asked.is_empty:
            return [], (), Spelt(asked, {})
        groups = asked.groups()
        meanings: list[Voter] = []
        if index.whitening is not None:
            # The model reads in another thread while the words are looked up in this one.
            vector = self._pool.submit(self._direction, index.whitening, groups)
            meanings = voters_of_meaning(index, dict.fromkeys(TEXT_FIELDS, vector))
        described = None
        seeing = self._seeing(index) if self._settings.weights.get(PICTURE, 0) > 0 else None
        if seeing is not None:
            shown = self._pool.submit(_together, seeing.encode_text, groups)
            described = voter_of_described_picture(index, shown)
        found = Spelt(asked, {}) if verbatim else spelt(asked, index.lexical)
        if asked.is_weighted:
            parts = [(words_only(text), weight) for text, weight in groups]
            spelled = [(one if verbatim else spelt(one, index.lexical).query, weight) for one, weight in parts]
        else:
            spelled = [(found.query, groups[0][1])]
        weighed: list[tuple[Voter, float]] = []
        for one, weight in spelled:
            voters = voters_of_words(index, one.terms, list(self._settings.weights))
            voters += voters_of_quote(index, [token.term for token in tokenize(one.text)])
            weighed += [(voter, weight) for voter in voters]
        for phrase in asked.phrases:
            if phrase.value != asked.text or asked.text.count(" ") < QUOTED - 1:
                sequence = [token.term for token in tokenize(phrase.value)]
                weighed += [(voter, phrase.weight) for voter in voters_of_quote(index, sequence, least=1)]
        most = max(weight for _, weight in groups)
        weighed += [(voter, most) for voter in meanings]
        if described is not None:
            weighed.append((described, most * (BUT if beside else 1.0)))
        return weighed, found.query.terms, found

    def _direction(self, whitening: Whitening, groups: Sequence[tuple[str, float]]) -> NDArray[np.float32]:
        """Return the whitened direction ([d]) of what texts mean together, each with its weight."""
        return _together(lambda texts: whitening(self._encoder.encode(texts)), groups)

    def _voters_of_own_look(self, index: Index, meme: Meme) -> list[Voter]:
        bits = [
            np.frombuffer(one, np.uint8) for one in self._catalogue.pictures.fingerprints_of(meme.content_hash, PDQ)
        ]
        looks = index.looks.rows_of(meme.id)
        return [voter_of_look(index, looks, np.stack(bits))] if bits else []


def _together(
    encode: Callable[[Sequence[str]], NDArray[np.float32]], groups: Sequence[tuple[str, float]]
) -> NDArray[np.float32]:
    """Return the direction ([d]) of texts together, each with its weight."""
    vectors = encode([text for text, _ in groups])
    if len(groups) == 1:
        return vectors[0]
    together = (vectors * np.array([[weight] for _, weight in groups], np.float32)).sum(axis=0)
    return (together / max(float(np.linalg.norm(together)), 1e-9)).astype(np.float32)


def _centres(index: Index, meme: Meme) -> dict[Field, NDArray[np.float32]]:
    """Return, by field, the direction ([d]) in the middle of a meme's passages."""
    found = {}
    for field, passages in index.dense.items():
        rows = passages.rows_of(meme.id)
        middle = rows.sum(axis=0)
        length = float(np.linalg.norm(middle))
        if length:
            found[field] = (middle / length).astype(np.float32)
    return found


def _operator(part: Part, means: str) -> Operator:
    """Return a part of a query that is not a word to search for, and its meaning."""
    return Operator(str(part), part.kind.value, part.value, means)


def _opened(image: Image.Image | Path, *, max_pixels: int) -> Image.Image:
    """Return the image to search with, upright; raise UnreadableFile for a file that is no image or too large."""
    if isinstance(image, Image.Image):
        return image
    try:
        with Image.open(image) as file:
            if file.width * file.height > max_pixels:
                raise UnreadableFile(f"{image} has {file.width} × {file.height} pixels; the limit is {max_pixels:,}.")
            return ImageOps.exif_transpose(file).convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise UnreadableFile(f"{image} cannot be read as an image: {error}.") from error


def _checked(k: int, offset: int, sort: str) -> Sort:
    if k < 1 or offset < 0:
        raise WrongUse(
            f"There is no page of {k} hits from the {offset}th on.", hint="k is 1 or more, offset 0 or more."
        )
    if sort not in set(Sort):
        raise WrongUse(f"Hits cannot be sorted by {sort!r}.", hint=f"By {' or '.join(Sort)}.")
    return Sort(sort)
