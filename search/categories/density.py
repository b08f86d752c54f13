"""How near a picture is to the library's, by the rows of the image encoder: to the nearest, and to each category's.

The density of a category's pictures is a kernel density estimate, which needs no training: a category whose pictures
lie closer together around a picture is likelier. Beside a linear model it helps most where the library has no meme of
the picture's template.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from search.categories.features import Places, Rows, unit

# Of the kernel, exp(SHARPNESS * cosine). On memes of templates held out, real_memes of seeds 201 and 202 and two
# libraries with their pictures and CM50's captions, 4, 8 and 16 were alike and each better than none: top-3 by .01 to
# .04, the likelihood of the truth in all four. Weighting each template once instead of each meme was worse.
SHARPNESS = 8.0
MOST = 3_000  # pictures to compare with; of more a sample, whose means are nearly the same
LEAST_SQUARE = 1e-4  # of a centred row's length: shorter ones, of rows as the mean, have no direction
BLOCK = 512  # pictures compared at a time
SEED = 7


def nearest_pictures(asked: Rows, known: Rows, *, mean: Rows | None = None) -> NDArray[np.float32]:
    """Return the largest cosine of each picture's centred row ([n, p]) with those of known pictures ([m, p]), [n].

    Rows are centred by `mean` ([p]), by default that of the known pictures. -1 for a picture that no encoder has seen,
    and without others.

    >>> f"{nearest_pictures(np.array([[1.0, 0.5]]), np.eye(2))[0]:.2f}"
    '0.71'
    """
    found = np.full(len(asked), -1, np.float32)
    shown, seen = np.flatnonzero(asked.any(axis=1)), known.any(axis=1)
    if not seen.any() or not len(shown):
        return found
    if mean is None:
        mean = known[seen].mean(axis=0)
    # The known rows are not copied to centre them: they are the largest part of what a library keeps in memory.
    squares = np.einsum("ij,ij->i", known, known) - 2 * (known @ mean) + mean @ mean
    lengths = np.sqrt(np.where(seen & (squares > LEAST_SQUARE), squares, np.inf))
    for start in range(0, len(shown), BLOCK):
        places = shown[start : start + BLOCK]
        rows = unit(asked[places] - mean)
        cosines = (rows @ known.T - (rows @ mean)[:, None]) / lengths
        found[places] = np.where(seen, cosines, -1).max(axis=1)
    return found


class PictureDensity:
    """Known pictures ([m, p], zeros for one that no encoder has seen) and the positions of their categories ([m]).

    >>> known = PictureDensity(np.eye(3, dtype=np.float32), np.array([0, 1, 1]), count=2)
    >>> known.scores(np.eye(3, dtype=np.float32)).argmax(axis=1).tolist()
    [0, 1, 1]
    """

    def __init__(self, pictures: Rows, truth: Places, *, count: int) -> None:
        seen = np.flatnonzero(pictures.any(axis=1))
        if len(seen) > MOST:
            seen = np.random.default_rng(SEED).permutation(seen)[:MOST]
        self._places = seen[np.argsort(truth[seen], kind="stable")]
        self._truth = truth[self._places]
        self._count = count
        # What all pictures of an encoder share is no likeness.
        self.mean = pictures[seen].mean(axis=0) if len(seen) else np.zeros(pictures.shape[1], np.float32)
        self._rows = unit(pictures[self._places] - self.mean)

    def scores(self, pictures: Rows, *, among: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
        """Return the logarithm of the density of each category's known pictures around each picture, [n, count].

        `among` ([m]) says which known pictures count, all by default. A category without any has the density of all
        pictures; a picture that no encoder has seen has 0 for each category.
        """
        found = np.zeros((len(pictures), self._count))
        counts = np.ones(len(self._truth), np.bool_) if among is None else among[self._places]
        if not counts.any():
            return found
        present, starts = np.unique(self._truth, return_index=True)
        sizes = np.add.reduceat(counts.astype(np.int64), starts)
        some = sizes > 0
        seen = np.flatnonzero(pictures.any(axis=1))
        for start in range(0, len(seen), BLOCK):
            places = seen[start : start + BLOCK]
            kernel = np.exp(SHARPNESS * (unit(pictures[places] - self.mean) @ self._rows.T)).astype(np.float64)
            kernel[:, ~counts] = 0
            sums = np.add.reduceat(kernel, starts, axis=1)
            density = np.repeat(sums.sum(axis=1, keepdims=True) / counts.sum(), self._count, axis=1)
            density[:, present[some]] = sums[:, some] / sizes[some]
            found[places] = np.log(density)
        return found
