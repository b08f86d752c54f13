"""Write embeddings into NumPy files, a pair for each field: the rows, and the memes that they belong to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.export.files import WrittenFile, refuse_existing
from search.errors import IndexUnusable, WrongUse
from search.index.generations import live_manifest
from search.meme import Field
from search.system.atomic_write import atomic_file, write_atomically
from search.workspace import Workspace

ABOUT = "vectors.json"
CHUNK_ROWS = 10_000  # converted at a time


def export_vectors(workspace: Workspace, folder: Path, *, overwrite: bool = False) -> list[WrittenFile]:
    """Write the embeddings of the encoders that the live index was made with, and return the files.

    For each field with embeddings `FIELD.npy` has a row for each passage, and in `picture.npy` for each frame, [n, d]
    float32 of length 1 within the precision of float16, which is stored; `FIELD.ids.npy` has the meme ids, [n] int64,
    ascending. `vectors.json` names encoders and shapes. Raises IndexUnusable without an index, WrongUse when a file
    exists without `overwrite`, DataFolderError when a file cannot be written.

    >>> from indexer.export import export_vectors
    >>> files = export_vectors(workspace, folder / "vectors")
    >>> rows, ids = np.load(folder / "vectors" / "ocr.npy"), np.load(folder / "vectors" / "ocr.ids.npy")
    >>> rows.shape, ids.shape, rows.dtype.name
    ((7, 256), (7,), 'float32')
    """
    live = live_manifest(workspace.index)
    if live is None:
        raise IndexUnusable("There is no index, so nothing is embedded.", hint="Run `memetica index` first.")
    if folder.exists() and not folder.is_dir():
        raise WrongUse(f"{folder} is not a folder.", hint="Vectors are several files: name a folder.")
    if not overwrite:
        refuse_existing(
            [folder / ABOUT, *(folder / f"{field.value}{end}" for field in Field for end in (".npy", ".ids.npy"))]
        )
    found, about = [], []
    with workspace.catalogue.snapshot():
        for field in Field:
            encoder = live.image_encoder if field is Field.PICTURE else live.text_encoder
            if not encoder:
                continue
            if field is Field.PICTURE:
                ids, rows = workspace.catalogue.embeddings.of_pictures(encoder)
            else:
                ids, rows = workspace.catalogue.embeddings.of_field(encoder, field)
            for array, kind, ending in ((rows, "<f4", ".npy"), (ids, "<i8", ".ids.npy")):
                path = folder / f"{field.value}{ending}"
                if len(ids):
                    _write(path, array, kind)
                    found.append(WrittenFile(path.name.removesuffix(".npy"), path, len(array)))
                else:
                    path.unlink(missing_ok=True)  # of an earlier export, which `overwrite` replaces
            if len(ids):
                about.append({"field": field.value, "encoder": encoder, "rows": len(ids), "dimensions": rows.shape[1]})
    write_atomically(folder / ABOUT, json.dumps({"fields": about}, indent=1) + "\n", durable=False)
    return [*found, WrittenFile("vectors", folder / ABOUT, len(about))]


def _write(path: Path, array: NDArray[Any], kind: str) -> None:
    """Write an array as another type, without a copy of the whole in memory."""
    with atomic_file(path, durable=False) as out:
        header = {"descr": kind, "fortran_order": False, "shape": array.shape}
        np.lib.format.write_array_header_1_0(out, header)
        for start in range(0, len(array), CHUNK_ROWS):
            out.write(array[start : start + CHUNK_ROWS].astype(kind).tobytes())
