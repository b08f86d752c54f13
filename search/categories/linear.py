"""A linear model: the logit of each category as a weighted sum of a row's numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.categories.features import Rows


@dataclass(frozen=True)
class LinearModel:
    """A linear model: `weights` [categories, D] and `bias` [categories], float32.

    With `axes` ([D, W]), rows of width W are projected on them first.
    """

    weights: Rows
    bias: NDArray[np.float32]
    axes: Rows | None = None

    def logits(self, rows: Rows) -> NDArray[np.float64]:
        """Return the logit of each category for each row, [n, categories]."""
        projected = rows if self.axes is None else rows @ self.axes.T
        found: NDArray[np.float64] = (projected @ self.weights.T + self.bias).astype(np.float64)
        return found
