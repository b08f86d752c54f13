"""Clusters of vectors by k-means."""

from __future__ import annotations

import faiss
import numpy as np
from numpy.typing import NDArray

_ROUNDS = 8
_SEED = 1


def cluster_rows(rows: NDArray[np.float32], *, size: int) -> NDArray[np.int64]:
    """Return the cluster of each row ([n], from 0 on without gaps) of clusters of about `size` rows.

    The same rows give the same clusters. Clusters that are much larger are cut.

    >>> rows = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    >>> [len(set(one)) for one in cluster_rows(rows, size=4).reshape(3, 4).tolist()]
    [1, 1, 1]
    """
    count = max(1, round(len(rows) / size))
    # It warns below 39 rows a cluster; here the clusters are small because their files are to be.
    kmeans = faiss.Kmeans(rows.shape[1], count, niter=_ROUNDS, seed=_SEED, min_points_per_centroid=1)
    kmeans.train(rows)
    nearest = kmeans.index.search(rows, 1)[1][:, 0]
    found = np.full(len(rows), -1, np.int64)
    number = 0
    for cluster in np.unique(nearest):
        members = np.flatnonzero(nearest == cluster)
        for piece in np.array_split(members, max(1, round(len(members) / size))):
            found[piece] = number
            number += 1
    return found
