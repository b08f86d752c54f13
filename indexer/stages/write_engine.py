"""The engine stage: write the index to an engine beside the data folder's own, and keep it as the catalogue is.

Nothing is decoded, read or embedded for it: all of that is in the catalogue.
"""

from __future__ import annotations

from collections.abc import Collection

from search.index.contract import IndexStore, Making
from search.index.generations import Manifest
from search.index.local import LocalStore
from search.index.stores import LOCAL, open_store
from search.texts.agreement import LEAST_WEIGHT
from search.texts.chunking import SPLITTER
from search.workspace import Workspace


def write_engine(workspace: Workspace, *, engine: str | None = None) -> Manifest | None:
    """Write a generation of all present memes to an engine and make it live; return None where nothing was to do.

    It is made with the encoders of the index in the data folder, which must be there. Without `engine`, it goes to the
    one of the settings, if there is one and it is not up to date. Raises IndexUnusable when the engine does not answer;
    what is live there stays so.

    >>> from indexer.stages.write_engine import write_engine
    >>> write_engine(workspace) is None, write_engine(workspace, engine="local").memes
    (True, 9)
    """
    if engine is None and workspace.settings.index_engine == LOCAL:
        return None
    made = LocalStore(workspace.index).open().manifest
    making = Making(made.text_encoder, made.image_encoder, SPLITTER, LEAST_WEIGHT)
    store = open_store(workspace.settings, engine=engine)
    if engine is None and _is_current(workspace, store, making):
        return None
    return store.build(workspace.catalogue, making)


def _is_current(workspace: Workspace, store: IndexStore, making: Making) -> bool:
    """Whether a store has the whole catalogue as it is, made in the same way."""
    if store.live() is None:
        return False
    there = store.open().manifest
    made = there.text_encoder, there.image_encoder, there.splitter
    is_same = made == (making.text_encoder, making.image_encoder, making.splitter)
    return is_same and not there.changed and workspace.catalogue.is_indexed(there.revision)


def update_engine(workspace: Workspace, ids: Collection[int]) -> None:
    """Make some memes on the engine of the settings as they are in the catalogue; do nothing without an engine.

    >>> from indexer.stages.write_engine import update_engine
    >>> update_engine(workspace, [1])
    """
    if workspace.settings.index_engine != LOCAL:
        open_store(workspace.settings).put(workspace.catalogue, ids, least_weight=LEAST_WEIGHT)
