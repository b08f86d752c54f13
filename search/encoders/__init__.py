"""Text and image encoders: protocols, factories, and the models behind them. Importing it imports no runtime."""

from __future__ import annotations

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
