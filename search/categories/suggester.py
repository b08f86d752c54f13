"""What is said of a picture: where it may belong, how sure that is, and the memes that speak for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.categories.features import Known, Traits
from search.categories.model import KIN, Model, sure_of, with_parents

GUESSES = 5
SHOWN = 3  # memes that speak for a category
LEAST_ALIKE = 0.1  # cosine of traits; below it, a meme speaks for nothing


@dataclass(frozen=True)
class Guess:
    """A category, its probability, and the ids of its memes that are most like the picture, the most alike first."""

    category: str
    probability: float
    memes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Suggestion:
    """Categories for a picture, the likeliest first; `sure` is one of them, or None.

    `parent` is a category above the likeliest that is sure where no leaf is, with its probability.
    """

    guesses: tuple[Guess, ...]
    sure: str | None
    parent: tuple[str, float] | None
    kin: bool  # whether the library holds anything that looks like it
    precision: float

    @property
    def sentence(self) -> str:
        """How sure it is, in words."""
        right = f"what is said so is right {100 * self.precision:.0f} times in 100"
        if self.sure is not None:
            return f"Sure: {self.sure} ({right})."
        if self.parent is not None:
            return f"Not sure of one category, but {100 * self.parent[1]:.0f} % for something under {self.parent[0]}."
        if not self.guesses:
            return "There are no categories yet to learn from."
        if not self.kin:
            return "Nothing in the library looks like it: perhaps none of these. They are where its words point."
        return "Not sure: these come nearest."


class Suggester:
    """A model and the memes that it was learnt from, held in memory."""

    def __init__(self, model: Model, known: Known) -> None:
        self.model = model
        self.known = known
        self._categories = np.array(known.categories, dtype=object)
        self._contents = set(known.contents)
        self._lengths = np.linalg.norm(known.traits.rows, axis=1)
        # A suggester is made of what its model was learnt from: no category is missing.
        place = {category: at for at, category in enumerate(model.categories)}
        self._places = np.array([place[one] for one in known.categories], np.int64)

    def suggest(self, traits: Traits, *, count: int = GUESSES, content_hash: str = "") -> Suggestion:
        """Return what is said of one picture by its traits, a row; a meme with its own content says nothing."""
        model, known = self.model, self.known
        others = np.ones(len(known), np.bool_)
        if content_hash in self._contents:
            others = np.array([one != content_hash for one in known.contents])
        kin = bool((known.traits.look_cosines(traits)[others, 0] >= KIN).any())
        row = traits.rows[0]
        alike = known.traits.rows @ row / np.maximum(self._lengths * float(np.linalg.norm(row)), 1e-9)
        alike[~others] = 0
        nearest = np.zeros(len(model.categories))
        np.maximum.at(nearest, self._places, alike)
        probabilities = np.empty(0)
        if model.categories:
            probabilities = model.probabilities(traits, np.array([kin]), nearest[None])[0]
        sure, parent = sure_of(model, probabilities, kin=kin)
        order = np.argsort(-probabilities, kind="stable")[:count]
        guesses = tuple(
            Guess(model.categories[at], float(probabilities[at]), self._nearest(model.categories[at], alike))
            for at in order
        )
        safe = None if parent is None else (parent, with_parents(model.categories, probabilities)[parent])
        return Suggestion(guesses, sure, safe, kin, model.precision)

    def _nearest(self, category: str, alike: NDArray[np.float32]) -> tuple[int, ...]:
        own = np.flatnonzero((self._categories == category) & (alike >= LEAST_ALIKE))
        first = own[np.argsort(-alike[own], kind="stable")][:SHOWN]
        return tuple(int(id) for id in self.known.ids[first])
