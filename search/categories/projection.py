"""Project memes onto a plane, so that those alike in meaning and look lie together: the map of a library.

t-SNE places up to MAX_PLACED memes (van der Maaten and Hinton, 2008; scikit-learn's Barnes-Hut form); every other meme
lies between those that it is most like. The same memes give the same map.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

MAX_PLACED = 3000  # by t-SNE: 20 s of one core; the time grows faster than their number
DIMENSIONS = 50  # that are kept before t-SNE, as its authors advise
PERPLEXITY = 30.0
NEIGHBORS = 3  # between which a meme that t-SNE did not place lies
SEED = 20
CHUNK = 2000  # rows that are compared at once


def project(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a point from 0 to 1 in both directions for each row: [n, d] to [n, 2].

    >>> points = project(np.eye(40, 8, dtype=np.float32))
    >>> points.shape, float(points.min()), float(points.max())
    ((40, 2), 0.0, 1.0)
    """
    if len(rows) < 4:
        return np.linspace(0.25, 0.75, 2 * len(rows), dtype=np.float32).reshape(-1, 2)
    lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    unit = (rows / lengths).astype(np.float32)
    if not np.ptp(unit, axis=0).any():
        return np.full((len(rows), 2), 0.5, np.float32)
    reduced = PCA(min(DIMENSIONS, *unit.shape), svd_solver="randomized", random_state=SEED).fit_transform(unit)
    placed = np.linspace(0, len(rows) - 1, min(len(rows), MAX_PLACED)).astype(np.int64)
    tsne = TSNE(2, perplexity=min(PERPLEXITY, (len(placed) - 1) / 3), init="pca", random_state=SEED)
    with threadpool_limits(1):  # its threads wait in loops: beside other work they take ten times the processor time
        plane = tsne.fit_transform(reduced[placed])
    points = np.empty((len(rows), 2), np.float32)
    points[placed] = plane
    others = np.setdiff1d(np.arange(len(rows)), placed)
    for at in range(0, len(others), CHUNK):
        some = others[at : at + CHUNK]
        likeness = reduced[some] @ reduced[placed].T
        nearest = np.argpartition(-likeness, NEIGHBORS - 1, axis=1)[:, :NEIGHBORS]
        points[some] = plane[nearest].mean(axis=1)
    low, high = points.min(axis=0), points.max(axis=0)
    return (points - low) / np.maximum(high - low, 1e-9)
