"""A map of pictures: places in a square for their vectors, so that pictures that look alike lie near each other.

t-SNE (van der Maaten and Hinton, 2008; Barnes-Hut, van der Maaten, 2014) by scikit-learn, on principal components. It
takes seconds for thousands of rows and hours for hundreds of thousands, so it places a sample, and each other row where
its nearest neighbors of the sample are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

SAMPLE = 2000  # rows that t-SNE places
COMPONENTS = 32  # principal components; the rest is noise to t-SNE, and costs time
PERPLEXITY = 20.0  # neighbors that each row is kept near to
NEIGHBORS = 3  # of the sample, between which another row is placed
FEW = 8  # with fewer rows there are no neighborhoods: their two principal components are the map
_CHUNK = 4096


def project(rows: NDArray[np.floating], *, sample: int = SAMPLE) -> NDArray[np.float32]:
    """Return a place in the unit square for each row, [n, 2] float32, near for rows ([n, d]) that are near.

    The same rows get the same places. At most `sample` rows are placed by t-SNE, the others among them; memory grows
    with the number of rows, not with its square.

    >>> from search.images.projection import project
    >>> places = project(np.eye(12)[[0, 0, 0, 0, 0, 6, 6, 6, 6, 6]])
    >>> bool(np.ptp(places[:5], axis=0).max() < np.linalg.norm(places[0] - places[9]))
    True
    """
    count = len(rows)
    if count < 2:
        return np.full((count, 2), 0.5, np.float32)
    chosen = np.unique(np.linspace(0, count - 1, min(count, sample)).round().astype(np.int64))
    picked = np.asarray(rows[chosen], np.float32)
    if not np.ptp(picked, axis=0).any():
        return np.full((count, 2), 0.5, np.float32)
    components = PCA(min(COMPONENTS, *picked.shape), svd_solver="full").fit(picked)
    reduced = components.transform(picked)
    if len(chosen) < FEW:
        placed = np.pad(reduced, ((0, 0), (0, 2)))[:, :2]
    else:
        perplexity = min(PERPLEXITY, (len(chosen) - 1) / 3)
        first = reduced[:, :2] if reduced.shape[1] > 1 else np.pad(reduced, ((0, 0), (0, 1)))
        start = first / max(float(first[:, 0].std()), 1e-9) * 1e-4  # as scikit-learn scales its own start by PCA
        tsne = TSNE(perplexity=perplexity, init=start.astype(np.float32), random_state=0)
        with threadpool_limits(1):  # its threads wait in loops: beside other work they cost more than they gain
            placed = tsne.fit_transform(reduced)
    places = np.empty((count, 2), np.float32)
    nearest = NearestNeighbors(n_neighbors=min(NEIGHBORS, len(chosen))).fit(reduced)
    for begin in range(0, count, _CHUNK):
        part = slice(begin, begin + _CHUNK)
        distances, at = nearest.kneighbors(components.transform(np.asarray(rows[part], np.float32)))
        weights = 1 / (distances + 1e-6)
        places[part] = (placed[at] * weights[..., None]).sum(axis=1) / weights.sum(axis=1, keepdims=True)
    places[chosen] = placed
    low, high = places.min(axis=0), places.max(axis=0)
    span = max(float((high - low).max()), 1e-9)
    return (0.5 + (places - (low + high) / 2) / span).clip(0, 1).astype(np.float32)
