"""The retrievers that compare images: by layout and fingerprints, and by the embeddings of an image encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from search.encoders.base import Vectors
from search.index.columns import Ids
from search.index.contract import Ask, Direction, Index, LazyDirection, Near, RawScores, Within, resolved
from search.index.lexical.file_names import no_ids
from search.meme import Field
from search.ranking.fusion import ScoreArray
from search.signals import DESCRIPTOR, IMAGE_IMAGE, IMAGE_TEXT, Signal

PDQ_RELATED = 62  # bits of 256: twice what Meta calls "the same"; beyond, agreement is chance
LAYOUT_CHANCE = 0.35  # cosine of the layouts of two images that share nothing
SAMPLE = 2000  # images that a query's mean and deviation are computed from
FULL_SCORE = 5.0  # standard deviations above the mean at which an image gets the score 1


@dataclass(frozen=True)
class DescriptorRetriever:
    """Similarity of color layouts and PDQ fingerprints; the best of an image's frames and of both measures counts."""

    asks: Sequence[Ask]  # the layout of each frame, then the fingerprints
    signal: Signal = DESCRIPTOR
    known: Ids = field(default_factory=no_ids)

    def score(self, ids: Ids, answers: Sequence[RawScores]) -> ScoreArray:
        *layouts, related = answers
        found = related
        for cosines in layouts:
            found = np.fmax(found, (cosines - LAYOUT_CHANCE) / (1 - LAYOUT_CHANCE))
        return found


def descriptor_retriever(layouts: Vectors, fingerprints: NDArray[np.uint8]) -> DescriptorRetriever:
    """Return the retriever by an image's layouts ([frames, d]) and PDQ fingerprints ([m, 32])."""
    return DescriptorRetriever([*(Near(Field.LOOK, layout) for layout in layouts), Within(fingerprints, PDQ_RELATED)])


@dataclass(frozen=True)
class ImageTextRetriever:
    """How well images fit a text, by its embedding ([d]) from the image encoder that made the index.

    A text's dot products with all images are similar, at a level that differs between texts: the score is how far an
    image is above the mean, in standard deviations.
    """

    index: Index
    direction: LazyDirection
    signal: Signal = IMAGE_TEXT
    known: Ids = field(default_factory=no_ids)

    @cached_property
    def asks(self) -> Sequence[Ask]:
        return [Near(Field.PICTURE, self.direction)]

    def score(self, ids: Ids, answers: Sequence[RawScores]) -> ScoreArray:
        mean, deviation = self._distribution
        return np.clip((answers[0] - mean) / (FULL_SCORE * deviation), 0.0, 1.0)

    @cached_property
    def _distribution(self) -> tuple[float, float]:
        return _distribution(self.index, resolved(self.direction))


@dataclass(frozen=True)
class ImageImageRetriever:
    """Similarity to another image, by the embeddings ([d] each) of its frames; the best frame counts."""

    index: Index
    frames: Sequence[Direction]
    signal: Signal = IMAGE_IMAGE
    known: Ids = field(default_factory=no_ids)

    @cached_property
    def asks(self) -> Sequence[Ask]:
        return [Near(Field.PICTURE, one) for one in self.frames]

    def score(self, ids: Ids, answers: Sequence[RawScores]) -> ScoreArray:
        found = []
        for (mean, deviation), cosines in zip(self._distributions, answers, strict=True):
            chance = min(mean + deviation, 1 - 1e-6)
            found.append((cosines - chance) / (1 - chance))
        # Below chance counts as nothing found: an image unlike one part of a query may still answer another.
        return np.clip(np.fmax.reduce(found), 0.0, 1.0)

    @cached_property
    def _distributions(self) -> Sequence[tuple[float, float]]:
        return [_distribution(self.index, one) for one in self.frames]


def _distribution(index: Index, direction: Direction) -> tuple[float, float]:
    """Return the mean and the standard deviation of a direction's products with the library's images."""
    if not index.count_rows(Field.PICTURE):
        return 0.0, 1.0
    products = index.sample(Field.PICTURE, SAMPLE).astype(np.float32) @ direction
    return float(products.mean()), max(float(products.std()), 1e-3)
