"""Makes a library searchable: scans it, decodes and reads its pictures, embeds them and builds the index."""

from __future__ import annotations

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
