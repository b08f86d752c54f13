"""The catalogue: results of expensive work and the curator's decisions in one SQLite file. The only SQL of Memetica.

`Catalogue` holds the file open and gives access to its tables by subject: `memes`, `texts`, `descriptions`, `pictures`,
`embeddings`, `failures`, `text_reviews`, `leases`, `calls`, `pairs`, `verdicts`, `journal`, `inherited_texts`,
`uploads`, `batches`, `tags`. Any thread may use the object: each has its own connection.
"""

from __future__ import annotations

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
