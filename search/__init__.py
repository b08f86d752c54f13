"""Find memes from Python: `Searcher.open(data)` searches the index of a library that `memetica index` made.

The names below are the public interface. Each is imported when it is first used, so that importing one module of the
package does not load the others. This package imports nothing from `indexer` or `web`.
"""

import lazy_loader as lazy

from search.system.telemetry import disable_telemetry

disable_telemetry()  # here, because every process of ours imports `search` before a library that reports its use

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
