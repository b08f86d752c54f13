"""The category model: compute each category's probability from features, and select a category stated as sure.

Four scores are mixed: the logits of two regularized logistic regressions (on text alone, on all features), the cosine
of each category's nearest meme, and the categories' sizes. The mix weights are fitted on held-out predictions,
separately for memes with a known template (the library has a meme that looks like them, which nearly always decides)
and with an unknown one (where looks mislead). Prediction needs no scikit-learn: it loads weights and multiplies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from search.categories.features import Features, Rows
from search.meme import CATEGORY_SEPARATOR

KNOWN_TEMPLATE_COSINE = 0.8  # least cosine of two visual descriptors of one template; different templates are below

Probabilities = NDArray[np.float64]  # [n, categories], each row sums to 1


class Template(StrEnum):
    """Whether the library has a meme with the same template, that is, with a similar visual descriptor."""

    KNOWN = "known"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class MixWeights:
    """The weights of the four scores: logits on text and on all features, nearest cosine, log share of the category."""

    words: float
    all_features: float
    nearest: float
    sizes: float


@dataclass(frozen=True)
class ClassScores:
    """The scores of each category, [n, categories] each: the logits of two models, the cosine of its nearest meme."""

    words: NDArray[np.float64]
    all_features: NDArray[np.float64]
    nearest: NDArray[np.float64]

    def of(self, chosen: NDArray[np.bool_]) -> ClassScores:
        """Return the scores of some of the memes."""
        return ClassScores(self.words[chosen], self.all_features[chosen], self.nearest[chosen])


@dataclass(frozen=True)
class LinearModel:
    """A linear model: `weights` [categories, D] and `bias` [categories], float32.

    With `axes` ([D, W]), rows of width W are projected on them first.
    """

    weights: Rows
    bias: NDArray[np.float32]
    axes: Rows | None = None

    def logits(self, rows: Rows) -> NDArray[np.float64]:
        """Return the logit of each category for each row, [n, categories]."""
        projected = rows if self.axes is None else rows @ self.axes.T
        found: NDArray[np.float64] = (projected @ self.weights.T + self.bias).astype(np.float64)
        return found


@dataclass(frozen=True)
class CategoryModel:
    """The trained model. A category at or above its threshold is stated as sure; a threshold of None means never."""

    categories: tuple[str, ...]
    sizes: NDArray[np.int64]  # examples of each category
    words: LinearModel
    all_features: LinearModel
    mix_weights: Mapping[Template, MixWeights]
    thresholds: Mapping[Template, float | None]
    precision: float  # least share of right answers among the categories stated as sure

    def probabilities(
        self, features: Features, known_template: NDArray[np.bool_], nearest: NDArray[np.float64]
    ) -> Probabilities:
        """Return the probability of each category, [n, categories].

        `known_template` ([n]) says for each meme whether the library has its template; `nearest` ([n, categories])
        is the cosine of the features with each category's nearest meme, 0 for a category without memes.
        """
        scores = ClassScores(self.words.logits(features.words), self.all_features.logits(features.rows), nearest)
        return combined_probabilities(scores, self.sizes, known_template, self.mix_weights)


def combined_probabilities(
    scores: ClassScores,
    sizes: NDArray[np.int64],
    known_template: NDArray[np.bool_],
    mix_weights: Mapping[Template, MixWeights],
) -> Probabilities:
    """Return n memes' probabilities from their scores, the categories' sizes, and which templates are known ([n])."""
    found = np.empty_like(scores.words)
    for template, chosen in ((Template.KNOWN, known_template), (Template.UNKNOWN, ~known_template)):
        found[chosen] = mix_probabilities(scores.of(chosen), sizes, mix_weights[template])
    return found


def mix_probabilities(scores: ClassScores, sizes: NDArray[np.int64], mix: MixWeights) -> Probabilities:
    """Return the probabilities from scores, mixed with one set of weights."""
    return softmax(
        mix.words * scores.words
        + mix.all_features * scores.all_features
        + mix.nearest * scores.nearest
        + mix.sizes * log_priors(sizes)
    )


def log_priors(sizes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the logarithm of each category's share of the memes; an empty category counts as half a meme."""
    shares: NDArray[np.float64] = np.log((sizes + 0.5) / (sizes + 0.5).sum())
    return shares


def softmax(logits: NDArray[np.float64]) -> Probabilities:
    """Return probabilities from logits, row by row.

    >>> softmax(np.array([[0.0, 0.0]])).tolist()
    [[0.5, 0.5]]
    """
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    found: Probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    return found


def parents_of(category: str) -> tuple[str, ...]:
    """Return the parents of a category, the nearest first.

    >>> parents_of("TV - Star Trek - TNG")
    ('TV - Star Trek', 'TV')
    """
    parts = category.split(CATEGORY_SEPARATOR)
    return tuple(CATEGORY_SEPARATOR.join(parts[:count]) for count in range(len(parts) - 1, 0, -1))


def parent_probabilities(categories: Sequence[str], probabilities: NDArray[np.float64]) -> dict[str, float]:
    """Return the probability of each category that has subcategories: the sum of its own and theirs.

    >>> parent_probabilities(("TV", "TV - Star Trek", "Food"), np.array([0.25, 0.5, 0.25]))
    {'TV': 0.75}
    """
    found: dict[str, float] = {}
    for category, probability in zip(categories, probabilities, strict=True):
        for parent in parents_of(category):
            found[parent] = found.get(parent, 0.0) + float(probability)
    for category, probability in zip(categories, probabilities, strict=True):
        if category in found:
            found[category] += float(probability)
    return found


def confident_category(
    model: CategoryModel, probabilities: NDArray[np.float64], *, known_template: bool
) -> tuple[str | None, str | None]:
    """Return the sure category, or None, and without one the narrowest sure parent category, or None.

    `probabilities` ([categories]) are of one meme.
    """
    threshold = model.thresholds[Template.KNOWN if known_template else Template.UNKNOWN]
    if not len(model.categories):
        return None, None
    first = int(np.argmax(probabilities))
    if threshold is not None and probabilities[first] >= threshold:
        return model.categories[first], None
    parents = parent_probabilities(model.categories, probabilities)
    safe = [
        parent
        for parent in parents_of(model.categories[first])
        if parents[parent] >= max(model.precision, threshold or 0.0)
    ]
    return None, safe[0] if safe else None
