"""Suggest categories for a picture, with probabilities and the nearest memes of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from search.categories.density import PictureDensity, nearest_pictures
from search.categories.features import Examples, Features, Places, library_examples
from search.categories.model import (
    KNOWN_PICTURE_COSINE,
    KNOWN_TEMPLATE_COSINE,
    CategoryModel,
    confident_category,
    parent_probabilities,
)
from search.categories.persistence import read_model, stored_encoders
from search.errors import ModelUnavailable
from search.evidence import percent
from search.workspace import Workspace

DEFAULT_COUNT = 5  # categories of a suggestion
NEIGHBORS = 3  # nearest memes of a suggested category
MOST_COMPARED = 2_000  # pictures, those that look most alike; all rows of a large library take longer than the rest
LEAST_COSINE = 0.1  # of the features; memes below it are not listed as neighbours


@dataclass(frozen=True)
class RankedCategory:
    """A category, its probability, and the ids of its memes nearest to the picture, nearest first."""

    category: str
    probability: float
    memes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Suggestion:
    """Categories for a picture, the most likely first; `sure` is one of them, or None.

    `parent`, with its probability, is a sure parent of the most likely category if no category is sure.
    """

    categories: tuple[RankedCategory, ...]
    sure: str | None
    parent: tuple[str, float] | None
    known_template: bool  # whether the library has a meme with the same template
    precision: float

    @property
    def sentence(self) -> str:
        """How sure the suggestion is, as a sentence."""
        if self.sure is not None:
            return f"Probably {self.sure}. Suggestions this sure are right {100 * self.precision:.0f} times in 100."
        if self.parent is not None:
            return f"Not sure of one category, but {percent(self.parent[1])} sure of one under {self.parent[0]}."
        if not self.categories:
            return "There are no categories to learn from yet."
        if not self.known_template:
            return "Nothing similar found. These are guesses from its picture and its text."
        return "Not sure: these are the most likely."


class Suggester:
    """A category model and its examples, in memory; `image_encoder` is the name of the encoder of their pictures."""

    def __init__(self, model: CategoryModel, examples: Examples, *, image_encoder: str = "") -> None:
        self.model = model
        self.image_encoder = image_encoder
        self.examples = examples
        self._categories = np.array(examples.categories, dtype=object)
        self._contents = set(examples.contents)
        self._lengths = np.linalg.norm(examples.features.rows, axis=1)
        # The model has every category of the examples: it was trained on them.
        place = {category: at for at, category in enumerate(model.categories)}
        self._category_of = np.array([place[category] for category in examples.categories], np.int64)
        self._density = PictureDensity(examples.features.pictures, self._category_of, count=len(model.categories))

    @classmethod
    def open(cls, workspace: Workspace) -> Self:
        """Return a suggester with the stored model, over the memes in the model's categories; nothing is trained.

        Raises ModelUnavailable if no usable model is stored.
        """
        encoders = stored_encoders(workspace.models)
        stored = None if encoders is None else read_model(workspace.models, encoders=encoders)
        if encoders is None or stored is None:
            raise ModelUnavailable("No category model is trained.", hint="Run `memetica categories train`.")
        model, _ = stored
        examples = library_examples(workspace.catalogue, encoder=encoders.text, image_encoder=encoders.image)
        known = set(model.categories)
        among = np.flatnonzero([category in known for category in examples.categories])
        return cls(model, examples.of(among), image_encoder=encoders.image)

    def suggest(self, features: Features, *, count: int = DEFAULT_COUNT, content_hash: str = "") -> Suggestion:
        """Return the suggestion for one picture by its features (one row), without memes of the same `content_hash`.

        >>> from search.categories.features import picture_features
        >>> from search.categories.training import fit
        >>> examples = library_examples(workspace.catalogue, encoder=encoder.name)
        >>> each = np.arange(len(examples))
        >>> model, _ = fit(examples, names={}, duplicates=each, variants=each)
        >>> features = picture_features(encoder.encode(["a cat"]), [], [], dimensions=encoder.dimensions)
        >>> len(Suggester(model, examples).suggest(features, count=1).categories)
        1
        """
        model, examples = self.model, self.examples
        others = np.ones(len(examples), np.bool_)
        if content_hash in self._contents:
            others = np.array([content != content_hash for content in examples.contents])
        known_template = self._knows_template(features, np.flatnonzero(others))
        row = features.rows[0]
        cosines = examples.features.rows @ row / np.maximum(self._lengths * float(np.linalg.norm(row)), 1e-9)
        cosines[~others] = 0
        nearest = np.zeros(len(model.categories))
        np.maximum.at(nearest, self._category_of, cosines)
        probabilities = np.empty(0)
        if model.categories:
            density = self._density.scores(features.pictures, among=others)
            probabilities = model.probabilities(features, np.array([known_template]), nearest[None], density)[0]
        sure, parent = confident_category(model, probabilities, known_template=known_template)
        order = np.argsort(-probabilities, kind="stable")[:count]
        ranked = tuple(
            RankedCategory(model.categories[at], float(probabilities[at]), self._nearest(model.categories[at], cosines))
            for at in order
        )
        sure_parent = (
            None if parent is None else (parent, parent_probabilities(model.categories, probabilities)[parent])
        )
        return Suggestion(ranked, sure, sure_parent, known_template, model.precision)

    def _knows_template(self, features: Features, among: Places) -> bool:
        """Return whether one of these memes looks like the picture, or has a near row by the image encoder."""
        looks = self.examples.features.descriptor_cosines(features)[among, 0]
        if (looks >= KNOWN_TEMPLATE_COSINE).any():
            return True
        if len(among) > MOST_COMPARED:
            among = among[np.argpartition(-looks, MOST_COMPARED)[:MOST_COMPARED]]
        rows = self.examples.features.pictures[among]
        return bool(nearest_pictures(features.pictures, rows, mean=self._density.mean)[0] >= KNOWN_PICTURE_COSINE)

    def _nearest(self, category: str, cosines: NDArray[np.float32]) -> tuple[int, ...]:
        members = np.flatnonzero((self._categories == category) & (cosines >= LEAST_COSINE))
        first = members[np.argsort(-cosines[members], kind="stable")][:NEIGHBORS]
        return tuple(int(id) for id in self.examples.ids[first])
