"""Export what the catalogue holds: tables as Parquet, CSV or JSON Lines, and embeddings as NumPy arrays."""

from __future__ import annotations

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
