"""Where the index of a data folder lies: in the folder, or on an engine that the settings name."""

from __future__ import annotations

import search.index
from search.errors import IndexUnusable
from search.index.contract import Index, IndexStore
from search.index.local import LocalStore
from search.settings import Settings
from search.system.distribution import require_extra

LOCAL = "local"


def open_store(settings: Settings, *, engine: str | None = None) -> IndexStore:
    """Return the place of an index: the one of the settings, or `local` or `qdrant:URL`.

    Nothing is asked of an engine yet. Raises WrongUse for another place, MissingExtra without its package.

    >>> from search.index.stores import open_store
    >>> open_store(workspace.settings).live() == searcher.index.name
    True
    """
    place = settings.index_engine if engine is None else engine
    if place == LOCAL:
        return LocalStore(settings.absolute().data / "index")
    require_extra("qdrant", ["qdrant_client"], purpose="Indexes on Qdrant")
    # By the package's lazy export: not every installation has the client, and importing it takes a third of a second.
    return search.index.open_qdrant(
        place,
        key=settings.qdrant_key,
        seconds=settings.qdrant_seconds,
        certificate=settings.qdrant_certificate,
        shards=settings.qdrant_shards,
        replicas=settings.qdrant_replicas,
    )


def open_index(settings: Settings) -> tuple[Index, str]:
    """Return the index that the settings name, opened, and "".

    Where an engine does not answer, return the one in the data folder, and the reason in a sentence. Raises
    IndexUnusable when neither can be opened.
    """
    try:
        return open_store(settings).open(), ""
    except IndexUnusable as error:
        if settings.index_engine == LOCAL:
            raise
        try:
            found = open_store(settings, engine=LOCAL).open()
        except IndexUnusable:
            raise error from None
        return found, f"The index on this machine answers: {error.message} {error.hint}".strip()
