"""The retrievers that compare images: by layout and fingerprints, and by the embeddings of an image encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.encoders.base import Vectors
from search.images.fingerprints import PDQ_BITS
from search.index.columns import Ids
from search.index.dense import DenseIndex
from search.index.reader import Index
from search.ranking.fusion import ScoreArray
from search.ranking.retrievers import Direction, LazyDirection, resolved
from search.signals import DESCRIPTOR, IMAGE_IMAGE, IMAGE_TEXT, Signal

PDQ_RELATED = 62  # bits of 256: twice what Meta calls "the same"; beyond, agreement is chance
LAYOUT_CHANCE = 0.35  # cosine of the layouts of two images that share nothing
SAMPLE = 2000  # images that a query's mean and deviation are computed from
FULL_SCORE = 5.0  # standard deviations above the mean at which an image gets the score 1


@dataclass(frozen=True)
class DescriptorRetriever:
    """Similarity of color layouts and PDQ fingerprints; the best of an image's frames and of both measures counts."""

    index: Index
    layouts: Vectors  # [frames, d]
    related: dict[int, float]  # by id, the share of fingerprint bits that agree
    signal: Signal = DESCRIPTOR

    def retrieve(self, k: int, allowed: Ids | None = None) -> Ids:
        found = [self.index.looks.search(layout, k, allowed=allowed)[0] for layout in self.layouts]
        near = np.array(sorted(self.related, key=lambda id: (-self.related[id], id))[:k], np.int64)
        if allowed is not None:
            near = near[np.isin(near, allowed)]
        return np.unique(np.concatenate([near, *found]))

    def score(self, ids: Ids) -> ScoreArray:
        found = np.full(len(ids), np.nan)
        for layout in self.layouts:
            cosines = self.index.looks.scores(layout, ids=ids).astype(np.float64)
            found = np.fmax(found, (cosines - LAYOUT_CHANCE) / (1 - LAYOUT_CHANCE))
        return np.fmax(found, np.array([self.related.get(int(id), np.nan) for id in ids], np.float64))


def descriptor_retriever(index: Index, layouts: Vectors, fingerprints: NDArray[np.uint8]) -> DescriptorRetriever:
    """Return the retriever by an image's layouts ([frames, d]) and PDQ fingerprints ([m, 32])."""
    related: dict[int, float] = {}
    for one in fingerprints:
        for id, distance in zip(*index.fingerprints.within(one, PDQ_RELATED), strict=True):
            related[int(id)] = max(related.get(int(id), 0.0), 1 - float(distance) / PDQ_BITS)
    return DescriptorRetriever(index, layouts, related)


@dataclass(frozen=True)
class ImageTextRetriever:
    """How well images fit a text, by its embedding ([d]) from the image encoder that made the index.

    A text's dot products with all images are similar, at a level that differs between texts: the score is how far an
    image is above the mean, in standard deviations.
    """

    pictures: DenseIndex
    direction: LazyDirection
    signal: Signal = IMAGE_TEXT

    def retrieve(self, k: int, allowed: Ids | None = None) -> Ids:
        return np.unique(self.pictures.search(resolved(self.direction), k, allowed=allowed)[0])

    def score(self, ids: Ids) -> ScoreArray:
        direction = resolved(self.direction)
        mean, deviation = _distribution(self.pictures, direction)
        products = self.pictures.scores(direction, ids=ids).astype(np.float64)
        return np.clip((products - mean) / (FULL_SCORE * deviation), 0.0, 1.0)


@dataclass(frozen=True)
class ImageImageRetriever:
    """Similarity to another image, by the embeddings ([d] each) of its frames; the best frame counts."""

    pictures: DenseIndex
    frames: Sequence[Direction]
    signal: Signal = IMAGE_IMAGE

    def retrieve(self, k: int, allowed: Ids | None = None) -> Ids:
        return np.unique(np.concatenate([self.pictures.search(one, k, allowed=allowed)[0] for one in self.frames]))

    def score(self, ids: Ids) -> ScoreArray:
        found = []
        for one in self.frames:
            mean, deviation = _distribution(self.pictures, one)
            chance = min(mean + deviation, 1 - 1e-6)
            found.append((self.pictures.scores(one, ids=ids).astype(np.float64) - chance) / (1 - chance))
        # Below chance counts as nothing found: an image unlike one part of a query may still answer another.
        return np.clip(np.fmax.reduce(found), 0.0, 1.0)


def _distribution(pictures: DenseIndex, direction: Direction) -> tuple[float, float]:
    """Return the mean and the standard deviation of a direction's products with the library's images."""
    if not len(pictures):
        return 0.0, 1.0
    products = pictures.sample(max(1, len(pictures) // SAMPLE)).astype(np.float32) @ direction
    return float(products.mean()), max(float(products.std()), 1e-3)
