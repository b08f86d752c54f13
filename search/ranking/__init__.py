"""Ranking: retrievers, fusion of their scores, the relevance cut-off, explanations, snippets, facets and pages."""

from __future__ import annotations

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
