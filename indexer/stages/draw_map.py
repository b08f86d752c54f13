"""Draw the map of a library: a point for each meme, those alike in look and meaning side by side."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search import categories  # lazily: scikit-learn takes 100 MB of a server that nobody asks for a map
from search.categories.features import library_examples
from search.errors import DataFolderError
from search.index.generations import live_image_encoder
from search.meme import Field
from search.system.atomic_write import write_atomically
from search.workspace import Workspace

MAP_FILE = "map.json"  # in the data folder's models, because it can be computed again
DRIFT = 0.1  # share of memes that may have come or gone before the map is drawn again
SCALE = 10_000  # points are whole numbers from 0 to this


@dataclass(frozen=True)
class LibraryMap:
    """The ids of memes ([n]) and their points ([n, 2], 0 to SCALE)."""

    ids: NDArray[np.int64]
    points: NDArray[np.int32]

    def fits(self, present: Collection[int]) -> bool:
        """Return whether the map still shows a library that has these memes."""
        changed = len(np.setxor1d(self.ids, np.fromiter(present, np.int64, len(present))))
        return changed <= DRIFT * max(len(present), 1)


def draw_map(workspace: Workspace, *, encoder: str) -> LibraryMap:
    """Return a new map of the library's decoded memes and store it; `encoder` is the text encoder's name.

    Raises DataFolderError when it cannot be stored.

    >>> drawn = draw_map(workspace, encoder=encoder.name)
    >>> len(drawn.ids), int(drawn.points.max()), read_map(workspace).ids.tolist() == drawn.ids.tolist()
    (9, 10000, True)
    """
    image_encoder = live_image_encoder(workspace.index)
    with workspace.catalogue.snapshot():
        examples = library_examples(
            workspace.catalogue,
            encoder=encoder,
            image_encoder=image_encoder,
            fields=(Field.OCR, Field.DESCRIPTION, Field.VISUAL),
        )
    rows = np.hstack([examples.features.rows, examples.features.pictures])
    points = np.round(categories.project(rows) * SCALE).astype(np.int32)
    body = {"ids": examples.ids.tolist(), "x": points[:, 0].tolist(), "y": points[:, 1].tolist()}
    try:
        workspace.models.mkdir(parents=True, exist_ok=True)
        write_atomically(workspace.models / MAP_FILE, json.dumps(body, separators=(",", ":")).encode(), durable=False)
    except OSError as error:
        raise DataFolderError(f"The map cannot be stored: {error.strerror}.", hint="Free some space.") from error
    return LibraryMap(examples.ids, points)


def read_map(workspace: Workspace) -> LibraryMap | None:
    """Return the map that was stored last, None without a readable one.

    >>> read_map(workspace) is None
    True
    """
    try:
        found = json.loads((workspace.models / MAP_FILE).read_text("utf-8"))
        points = np.array([found["x"], found["y"]], np.int32).T
        ids = np.array(found["ids"], np.int64)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return LibraryMap(ids, points.reshape(-1, 2)) if len(ids) == len(points) else None
