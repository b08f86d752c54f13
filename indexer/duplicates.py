"""The last stage: what is new is compared with all that may be like it, each pair once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from time import monotonic

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.media import decode
from indexer.pictures import in_threads
from indexer.progress import Progress, StageReport, stage_of
from search.catalogue import Catalogue, FingerprintRecord, Pair
from search.duplicates.alignment import one_thread_a_comparison
from search.duplicates.candidates import (
    CONTENT,
    CORNERS,
    CORNERS_MIRRORED,
    Candidates,
    content_bits,
    packed_corners,
    stored_features,
    texts_by_content,
)
from search.duplicates.comparing import Seen, seen
from search.duplicates.evidence import Tier
from search.duplicates.moving import compare_contents
from search.errors import UnreadableFile
from search.fingerprints import PDQ
from search.meme import Meme, Stage
from search.settings import Settings

BATCH = 64  # contents a transaction: what a killed run compares again
READY = 160  # contents kept ready to be compared: about 3 MB each

Load = Callable[[Meme], Sequence[Image.Image]]


def compare_library(
    settings: Settings, catalogue: Catalogue, *, progress: Progress, load: Load | None = None
) -> StageReport:
    """Compare what was not compared yet and keep what was found; return how many contents were done.

    May be interrupted anywhere and goes on from there. What cannot be loaded is recorded as failed, and tried again by
    the next run. `load` gives a meme's pictures; without it they are decoded from the library.
    """
    begun = monotonic()
    load = load or _decoded(settings)
    one_thread_a_comparison()
    memes: dict[str, Meme] = {}
    for meme in catalogue.memes.everything():
        if meme.has_thumbnail:  # decoded once: what could not be is no news
            memes.setdefault(meme.content_hash, meme)
    waiting = memes.keys() - catalogue.pairs.searched()
    unseen = [memes[content] for content in memes.keys() - _with_corners(catalogue, memes)]
    catalogue.failures.forget(Stage.DUPLICATES)
    with stage_of(progress, Stage.DUPLICATES, len(unseen) + len(waiting), unit="pictures"):
        failed = _take_corners(settings, catalogue, unseen, load=load, progress=progress)
        comparing = _Comparing(settings, catalogue, memes, load=load)
        done = comparing.all(waiting, progress=progress)
        comparing.between_neighbours()
    return StageReport(Stage.DUPLICATES, done, failed + len(comparing.failed), monotonic() - begun)


def _decoded(settings: Settings) -> Load:
    def load(meme: Meme) -> Sequence[Image.Image]:
        file = settings.library / meme.path
        return decode(file, max_pixels=settings.max_pixels, max_bytes=settings.max_bytes).pictures

    return load


def _with_corners(catalogue: Catalogue, memes: dict[str, Meme]) -> set[str]:
    by_id = {meme.id: content for content, meme in memes.items()}
    return {by_id[id] for id, _, _ in catalogue.pictures.fingerprints(CONTENT) if id in by_id}


def _take_corners(
    settings: Settings, catalogue: Catalogue, unseen: Sequence[Meme], *, load: Load, progress: Progress
) -> int:
    """Keep the corners of contents that have none yet; return how many failed."""

    def corners(meme: Meme) -> tuple[list[bytes], list[bytes], list[bytes]]:
        pictures = load(meme)
        return (*packed_corners(pictures), content_bits(pictures))

    failed = 0
    for meme, result in in_threads(corners, unseen, threads=settings.threads):
        if isinstance(result, UnreadableFile):
            catalogue.failures.record(Stage.DUPLICATES, meme.path, result, content_hash=meme.content_hash)
            failed += 1
        else:
            catalogue.pictures.add_fingerprints(
                FingerprintRecord(meme.content_hash, algorithm, frame, blob, 1.0)
                for algorithm, blobs in zip((CORNERS, CORNERS_MIRRORED, CONTENT), result, strict=True)
                for frame, blob in enumerate(blobs)
            )
        progress.advance(failed=isinstance(result, UnreadableFile))
    return failed


class _Comparing:
    """One run's comparisons: pictures kept ready, pairs already compared."""

    def __init__(self, settings: Settings, catalogue: Catalogue, memes: dict[str, Meme], *, load: Load) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._memes = memes
        self._texts = texts_by_content(catalogue)
        self._compared = catalogue.pairs.compared()
        self.failed: set[str] = set()

        @lru_cache(maxsize=READY)
        def ready(content: str) -> tuple[Seen, ...]:
            bits = [np.frombuffer(row, np.uint8) for row in catalogue.pictures.fingerprints_of(content, PDQ)]
            pictures = load(memes[content])
            known: list[NDArray[np.uint8] | None] = [*bits] if len(bits) == len(pictures) else [None] * len(pictures)
            return tuple(seen(picture, bits=row) for picture, row in zip(pictures, known, strict=True))

        self._ready = ready

    def all(self, waiting: Iterable[str], *, progress: Progress) -> int:
        """Compare contents with what may be like them; return how many were done."""
        candidates = stored_features(self._catalogue)
        place_of = {content: place for place, content in enumerate(candidates.hashes)}
        # Pictures that look alike come one after another, so that they are loaded once.
        places = candidates.in_order([place_of[content] for content in waiting if content in place_of])
        done = 0
        for batch in _batches(candidates, places, threads=self._settings.threads):
            keys = [(candidates.hashes[place], candidates.hashes[other]) for place, others in batch for other in others]
            pairs = list(self._pairs(keys))
            contents = [candidates.hashes[place] for place, _ in batch]
            with self._catalogue.transaction():
                self._catalogue.pairs.add(pairs)
                self._catalogue.pairs.mark_searched(content for content in contents if content not in self.failed)
            done += len(batch)
            progress.advance(len(batch))
        return done

    def between_neighbours(self) -> None:
        """Compare what is like the same content with each other: their like may be removed, and they stay."""
        near: dict[str, set[str]] = {}
        for tier in Tier:
            if tier.is_duplicate:
                for pair in self._catalogue.pairs.all(tier):
                    near.setdefault(pair.one, set()).add(pair.other)
                    near.setdefault(pair.other, set()).add(pair.one)
        keys = [
            (one, other)
            for others in near.values()
            for one in sorted(others)
            for other in sorted(others)
            if one < other
        ]
        for start in range(0, len(keys), BATCH):
            self._catalogue.pairs.add(list(self._pairs(keys[start : start + BATCH])))

    def _pairs(self, keys: Iterable[tuple[str, str]]) -> Iterator[Pair]:
        """Yield the pairs that were not compared before, compared."""
        fresh = []
        for one, other in keys:
            key = (one, other) if one < other else (other, one)
            if key not in self._compared and key[0] in self._memes and key[1] in self._memes:
                self._compared.add(key)
                fresh.append(key)
        for (one, other), result in in_threads(self._compare, fresh, threads=self._settings.threads):
            if isinstance(result, UnreadableFile):
                # Either may be the one; both are asked again by the next run.
                self.failed |= {one, other}
                meme = self._memes[one]
                self._catalogue.failures.record(Stage.DUPLICATES, meme.path, result, content_hash=one)
            else:
                yield result

    def _compare(self, key: tuple[str, str]) -> Pair:
        one, other = key
        texts = {"text": self._texts.get(one), "other_text": self._texts.get(other)}
        return Pair(one, other, compare_contents(self._ready(one), self._ready(other), **texts))


def _batches(
    candidates: Candidates, places: Sequence[int], *, threads: int
) -> Iterator[list[tuple[int, Sequence[int]]]]:
    """Yield the places, each with those of what may be like it, so many at a time."""
    batch: list[tuple[int, Sequence[int]]] = []
    for place, others in in_threads(candidates.of_own(places), places, threads=threads):
        assert not isinstance(others, UnreadableFile)  # nothing is read
        batch.append((place, others))
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
