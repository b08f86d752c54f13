"""The index on disk: generations, their parts, and the writer and reader of both. Importing it imports no faiss."""

from __future__ import annotations

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
