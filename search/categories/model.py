"""The category model: compute each category's probability from features, and select a category stated as sure.

Scores of independent sources are mixed: the logits of regularized logistic regressions on the text's embedding, on its
characters in ones to fives, on the picture's embedding, on the look and the embedded text together, and on all of them
for the top of the curator's hierarchy; the cosine of each category's nearest meme; the density of its pictures; how
near the picture is to the category's name; and the categories' sizes.
The mix weights are fitted on held-out predictions, separately for memes with a known template (the library has a meme
that looks like them, which nearly always decides) and with an unknown one (where looks mislead).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from search.categories.characters import CharacterModel
from search.categories.features import Features, Rows
from search.categories.linear import LinearModel
from search.meme import CATEGORY_SEPARATOR

if TYPE_CHECKING:
    from scipy.sparse import csr_array

KNOWN_TEMPLATE_COSINE = 0.8  # least cosine of two visual descriptors of one template; different templates are below
# The same of two pictures' centred rows by the image encoder, which still see a template in a crop or another frame. On
# real_memes and CM50, different templates that do not share a picture are below .6 to .65, and .6 to .75 were alike.
KNOWN_PICTURE_COSINE = 0.7

Probabilities = NDArray[np.float64]  # [n, categories], each row sums to 1


class Template(StrEnum):
    """Whether the library has a meme with the same template: with a similar descriptor or a similar picture's row."""

    KNOWN = "known"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class MixWeights:
    """The weight of each of the ClassScores, and of the logarithm of the category's share of the memes."""

    words: float
    all_features: float
    nearest: float
    sizes: float
    characters: float = 0.0
    pictures: float = 0.0
    parents: float = 0.0
    density: float = 0.0
    named: float = 0.0


@dataclass(frozen=True)
class ClassScores:
    """The scores of each category, [n, categories] each.

    Logits of the models, the cosine of its nearest meme, the logarithm of the density of its pictures, and how many
    standard deviations the picture is nearer to its name than the library's pictures are.
    """

    words: NDArray[np.float64]
    all_features: NDArray[np.float64]
    nearest: NDArray[np.float64]
    characters: NDArray[np.float64]
    pictures: NDArray[np.float64]
    parents: NDArray[np.float64]
    density: NDArray[np.float64]
    named: NDArray[np.float64]

    def of(self, chosen: NDArray[np.bool_]) -> ClassScores:
        """Return the scores of some of the memes."""
        return ClassScores(*(getattr(self, kind)[chosen] for kind in SCORE_KINDS))


SCORE_KINDS = tuple(field.name for field in fields(ClassScores))


@dataclass(frozen=True)
class Models:
    """The linear models of one category model, each with a weight row for each category.

    `parents` is of the top categories of the hierarchy, one row for each category in it; without a hierarchy, without
    an image encoder or without texts, models give the same logit to every category. `named` compares a picture with the
    categories' names.
    """

    words: LinearModel
    all_features: LinearModel
    characters: CharacterModel
    pictures: LinearModel
    parents: LinearModel
    named: LinearModel

    def scores(
        self,
        features: Features,
        nearest: NDArray[np.float64],
        density: NDArray[np.float64],
        *,
        characters: csr_array | None = None,
    ) -> ClassScores:
        """Return the scores of memes; `nearest` ([n, categories]) is the cosine with each category's nearest meme.

        `density` ([n, categories]) is by `PictureDensity`. `characters` are the rows of the texts where they are known
        already.
        """
        return ClassScores(
            words=self.words.logits(features.words),
            all_features=self.all_features.logits(features.rows),
            nearest=nearest,
            characters=self.characters.logits_of(
                self.characters.rows(features.texts) if characters is None else characters
            ),
            pictures=seen_logits(self.pictures, features.pictures),
            parents=seen_logits(self.parents, features.pictures),
            density=density,
            named=seen_logits(self.named, features.pictures),
        )


def seen_logits(model: LinearModel, pictures: Rows) -> NDArray[np.float64]:
    """Return the logits of pictures' rows, [n, categories]; zeros for pictures that the encoder has not seen.

    Rows of no numbers are of pictures that no encoder has seen.
    """
    if not pictures.shape[1]:
        return np.zeros((len(pictures), len(model.bias)))
    found: NDArray[np.float64] = model.logits(pictures) * pictures.any(axis=1, keepdims=True)
    return found


@dataclass(frozen=True)
class CategoryModel:
    """The trained model. A category at or above its threshold is stated as sure; a threshold of None means never."""

    categories: tuple[str, ...]
    sizes: NDArray[np.int64]  # examples of each category
    models: Models
    mix_weights: Mapping[Template, MixWeights]
    thresholds: Mapping[Template, float | None]
    precision: float  # least share of right answers among the categories stated as sure

    def probabilities(
        self,
        features: Features,
        known_template: NDArray[np.bool_],
        nearest: NDArray[np.float64],
        density: NDArray[np.float64],
    ) -> Probabilities:
        """Return the probability of each category, [n, categories].

        `known_template` ([n]) says for each meme whether the library has its template; `nearest` ([n, categories])
        is the cosine of the features with each category's nearest meme, 0 for a category without memes, `density` ([n,
        categories]) the logarithm of the density of each category's pictures, by `PictureDensity`.
        """
        scores = self.models.scores(features, nearest, density)
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
        sum((getattr(mix, kind) * getattr(scores, kind) for kind in SCORE_KINDS), mix.sizes * log_priors(sizes))
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


def top_of(category: str) -> str:
    """Return the top of the hierarchy above a category; itself if it is on top.

    >>> top_of("TV - Star Trek - TNG")
    'TV'
    """
    return category.split(CATEGORY_SEPARATOR)[0]


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
