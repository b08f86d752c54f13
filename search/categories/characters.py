"""The characters of texts in ones, twos and threes, weighted by TF-IDF: features of texts in any script.

A text encoder has no embedding of a script that it does not read; characters tell categories apart in each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from search.categories.features import Rows
from search.system.lazy_module import LazyModule

if TYPE_CHECKING:
    from scipy.sparse import csr_array
    from sklearn.feature_extraction.text import TfidfVectorizer

sparse: Any = LazyModule("scipy.sparse")

LONGEST = 3  # characters of a sequence
MOST = 20_000  # sequences, the most frequent
RAREST = 2  # texts: a sequence in fewer is left out


def make_vectorizer(vocabulary: Sequence[str] | None = None) -> TfidfVectorizer:
    """Return a vectorizer of texts, not fitted yet."""
    # scikit-learn takes half a second to import, which a server or a command needs when it first suggests.
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        analyzer="char",
        ngram_range=(1, LONGEST),
        sublinear_tf=True,
        min_df=RAREST,
        max_features=MOST,
        vocabulary=vocabulary,
        dtype=np.float32,
    )


def fit_characters(texts: Sequence[str]) -> CharacterModel:
    """Return a model that knows the sequences of these texts and their weights, and no categories yet.

    >>> fit_characters(["abc", "abd"]).vocabulary
    ('a', 'ab', 'b')
    """
    vectorizer = make_vectorizer()
    try:
        vectorizer.fit(texts)
    except ValueError:  # no sequence is in two texts
        return CharacterModel((), np.empty(0, np.float32), np.empty((0, 0), np.float32), np.empty(0, np.float32))
    vocabulary = tuple(str(sequence) for sequence in vectorizer.get_feature_names_out())
    idf = vectorizer.idf_.astype(np.float32)
    return CharacterModel(vocabulary, idf, np.zeros((0, len(idf)), np.float32), np.empty(0, np.float32))


@dataclass(frozen=True)
class CharacterModel:
    """A linear model of texts: `idf` ([m]) and `weights` ([categories, m]) of each sequence, `bias` ([categories])."""

    vocabulary: tuple[str, ...]
    idf: NDArray[np.float32]
    weights: Rows
    bias: NDArray[np.float32]

    @cached_property
    def _vectorizer(self) -> TfidfVectorizer:
        found = make_vectorizer(self.vocabulary)
        found.idf_ = self.idf
        return found

    def rows(self, texts: Sequence[str]) -> csr_array:
        """Return the TF-IDF of each text, [n, m] float32, rows of length 1 or 0."""
        if not self.vocabulary:
            return sparse.csr_array((len(texts), 0), dtype=np.float32)
        return sparse.csr_array(self._vectorizer.transform(texts))

    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the logit of each category for each text, [n, categories]."""
        return self.logits_of(self.rows(texts))

    def logits_of(self, rows: csr_array) -> NDArray[np.float64]:
        """Return the logit of each category for each of the rows of texts, [n, categories]."""
        found: NDArray[np.float64] = np.asarray(rows @ self.weights.T + self.bias).astype(np.float64)
        return found
