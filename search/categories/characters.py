"""The characters of texts in ones to fives (in some scripts to threes), weighted by TF-IDF: features in any script.

A text encoder has no embedding of a script that it does not read; characters tell categories apart in each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import regex
from numpy.typing import NDArray

from search.categories.features import Rows
from search.system.lazy_module import LazyModule

if TYPE_CHECKING:
    from scipy.sparse import csr_array
    from sklearn.feature_extraction.text import TfidfVectorizer

sparse: Any = LazyModule("scipy.sparse")

# Characters of a sequence. On captions alone, CM50's and real_memes' with duplicates kept together, CM50's filed with
# other templates held out: top-1 of 3, 4 and 5 was .47, .49, .51; .27, .29, .30; .46, .48, .48; in Chinese alike.
LONGEST = 5
LONGEST_UNSPACED = 3  # the same where words are not set apart: longer ones seldom come again, and hide those that do
MOST = 30_000  # sequences, the most frequent
_LETTER = regex.compile(r"\p{L}")
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")
RAREST = 2  # texts: a sequence in fewer is left out


def make_vectorizer(vocabulary: Sequence[str] | None = None, *, longest: int = LONGEST) -> TfidfVectorizer:
    """Return a vectorizer of texts, not fitted yet, of sequences up to `longest`."""
    # scikit-learn takes half a second to import, which a server or a command needs when it first suggests.
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        analyzer="char",
        ngram_range=(1, longest),
        sublinear_tf=True,
        min_df=RAREST,
        max_features=MOST,
        vocabulary=vocabulary,
        dtype=np.float32,
    )


def _sets_words_apart(texts: Sequence[str]) -> bool:
    """Return whether most letters of texts are of scripts with spaces between words; True without letters."""
    letters = sum(len(_LETTER.findall(text)) for text in texts)
    return 2 * sum(len(_UNSPACED.findall(text)) for text in texts) <= letters


def _with_ends(texts: Sequence[str]) -> list[str]:
    """Return texts with a space at both ends, so that their first and last words are as those between.

    Texts without letters, and in scripts without spaces between words, are as they are.
    """
    return [f" {text} " if _LETTER.search(text) and _sets_words_apart([text]) else text for text in texts]


def fit_characters(texts: Sequence[str]) -> CharacterModel:
    """Return a model that knows the sequences of these texts and their weights, and no categories yet.

    >>> fit_characters(["abc", "abd"]).vocabulary
    (' ', ' a', ' ab', 'a', 'ab', 'b')
    """
    vectorizer = make_vectorizer(longest=LONGEST if _sets_words_apart(texts) else LONGEST_UNSPACED)
    try:
        vectorizer.fit(_with_ends(texts))
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
        return sparse.csr_array(self._vectorizer.transform(_with_ends(texts)))

    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the logit of each category for each text, [n, categories]."""
        return self.logits_of(self.rows(texts))

    def logits_of(self, rows: csr_array) -> NDArray[np.float64]:
        """Return the logit of each category for each of the rows of texts, [n, categories]."""
        found: NDArray[np.float64] = np.asarray(rows @ self.weights.T + self.bias).astype(np.float64)
        return found
