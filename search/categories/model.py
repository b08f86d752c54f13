"""From a meme's traits to the probability of each category, and from those to what can be said with confidence.

Two regularised logistic regressions vote, one on the words alone and one on all traits, and so does the nearest meme of
each category; how much each counts beside the size of the categories, and how sharp the answer is, was found on
predictions for memes that were held out. It is found apart for memes whose like the library holds, where the look tells
nearly everything, and for strangers, whom it misleads. Nothing here needs the library that fits: a server loads weights
and multiplies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from search.categories.features import Rows, Traits

KIN = 0.8  # least cosine of two looks for one to tell the other's category; templates held out stay below
PARENT = " - "  # between the parts of a category's name, the parent first
Probabilities = NDArray[np.float64]  # [n, categories], each row's sum is 1


class Kinship(StrEnum):
    """Whether the library holds anything that looks like a meme."""

    KIN = "kin"
    STRANGER = "stranger"


@dataclass(frozen=True)
class Mix:
    """What each vote counts: logits of words and of all traits, the nearest meme, the category's share."""

    words: float
    everything: float
    nearest: float
    sizes: float


@dataclass(frozen=True)
class Votes:
    """What speaks for each category, [n, categories] each: two models' logits, and the cosine of its nearest meme."""

    words: NDArray[np.float64]
    everything: NDArray[np.float64]
    nearest: NDArray[np.float64]

    def of(self, those: NDArray[np.bool_]) -> Votes:
        """Return the votes on some of the memes."""
        return Votes(self.words[those], self.everything[those], self.nearest[those])


@dataclass(frozen=True)
class Linear:
    """A linear model: `weights` [categories, D] and `bias` [categories], float32.

    Where it has `axes` ([D, W]), rows of width W are seen along those alone.
    """

    weights: Rows
    bias: NDArray[np.float32]
    axes: Rows | None = None

    def logits(self, rows: Rows) -> NDArray[np.float64]:
        """Return each category's logit for each row, [n, categories]."""
        seen = rows if self.axes is None else rows @ self.axes.T
        found: NDArray[np.float64] = (seen @ self.weights.T + self.bias).astype(np.float64)
        return found


@dataclass(frozen=True)
class Model:
    """What was learnt; `least` is the probability from which a category is named as sure, none where never."""

    categories: tuple[str, ...]
    sizes: NDArray[np.int64]  # examples of each category
    words: Linear
    everything: Linear
    mixes: Mapping[Kinship, Mix]
    least: Mapping[Kinship, float | None]
    precision: float  # what is named as sure is right at least so often

    def probabilities(self, traits: Traits, kin: NDArray[np.bool_], nearest: NDArray[np.float64]) -> Probabilities:
        """Return the probability of each category, [n, categories].

        `kin` says of each meme ([n]) whether the library's are like it, `nearest` ([n, categories]) how near each
        category's nearest meme is: a cosine of traits, 0 where it has none.
        """
        votes = Votes(self.words.logits(traits.words), self.everything.logits(traits.rows), nearest)
        return mixed(votes, self.sizes, kin, self.mixes)


def mixed(
    votes: Votes, sizes: NDArray[np.int64], kin: NDArray[np.bool_], mixes: Mapping[Kinship, Mix]
) -> Probabilities:
    """Return probabilities from votes on n memes, the categories' sizes, and which memes are kin ([n])."""
    found = np.empty_like(votes.words)
    for kinship, those in ((Kinship.KIN, kin), (Kinship.STRANGER, ~kin)):
        found[those] = mix_of(votes.of(those), sizes, mixes[kinship])
    return found


def mix_of(votes: Votes, sizes: NDArray[np.int64], mix: Mix) -> Probabilities:
    """Return probabilities from votes by one mix."""
    return softmax(
        mix.words * votes.words
        + mix.everything * votes.everything
        + mix.nearest * votes.nearest
        + mix.sizes * log_shares(sizes)
    )


def log_shares(sizes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the logarithm of each category's share of the memes; an empty one has half a meme."""
    shares: NDArray[np.float64] = np.log((sizes + 0.5) / (sizes + 0.5).sum())
    return shares


def softmax(logits: NDArray[np.float64]) -> Probabilities:
    """Return probabilities from logits, row by row."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    found: Probabilities = raised / raised.sum(axis=1, keepdims=True)
    return found


def parents_of(category: str) -> tuple[str, ...]:
    """Return the categories above one, the nearest first: `TV - Star Trek` and `TV` for `TV - Star Trek - TNG`."""
    parts = category.split(PARENT)
    return tuple(PARENT.join(parts[:count]) for count in range(len(parts) - 1, 0, -1))


def with_parents(categories: Sequence[str], probabilities: NDArray[np.float64]) -> dict[str, float]:
    """Return the probability of each category that has others below it: its own and all of theirs."""
    found: dict[str, float] = {}
    for category, probability in zip(categories, probabilities, strict=True):
        for parent in parents_of(category):
            found[parent] = found.get(parent, 0.0) + float(probability)
    for category, probability in zip(categories, probabilities, strict=True):
        if category in found:
            found[category] += float(probability)
    return found


def sure_of(model: Model, probabilities: NDArray[np.float64], *, kin: bool) -> tuple[str | None, str | None]:
    """Return the category that is sure, else the narrowest parent that is, each None where there is none.

    `probabilities` ([categories]) are of one meme.
    """
    least = model.least[Kinship.KIN if kin else Kinship.STRANGER]
    if not len(model.categories):
        return None, None
    first = int(np.argmax(probabilities))
    if least is not None and probabilities[first] >= least:
        return model.categories[first], None
    parents = with_parents(model.categories, probabilities)
    safe = [one for one in parents_of(model.categories[first]) if parents[one] >= max(model.precision, least or 0.0)]
    return None, safe[0] if safe else None
