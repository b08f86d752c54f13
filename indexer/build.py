"""The last stage: index files from the catalogue, built aside and switched by one rename."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from indexer.progress import Progress, Silence, stage_of
from search.catalogue import Catalogue
from search.errors import IndexUnusable
from search.fingerprints import LOOK, LOOK_DIMENSIONS, PDQ, PDQ_BITS
from search.generation import Manifest, live_folder, new_generation, read_manifest, write_manifest
from search.meme import Field, Stage
from search.passages import SPLITTER
from search.settings import Settings
from search.vectors import build_fingerprints, build_vectors
from search.words import build_words, documents_of

TEXT_FIELDS = (Field.NAME, Field.OCR, Field.DESCRIPTION, Field.VISUAL, Field.ANALYSIS)
_PARTS = len(TEXT_FIELDS) + 3  # vectors of each field, words, fingerprints, looks


def build_index(
    settings: Settings,
    catalogue: Catalogue,
    *,
    text_encoder: str,
    progress: Progress | None = None,
    force: bool = False,
) -> Manifest:
    """Build a generation from the catalogue unless the live one is of its revision; return the live one's manifest.

    Raises DataFolderError when it cannot be written; the generation that was live stays so.
    """
    index = settings.data / "index"
    live = None if force else _live_manifest(index)
    revision = catalogue.revision()
    if live is not None and (live.revision, live.text_encoder, live.splitter) == (revision, text_encoder, SPLITTER):
        return live
    progress = progress or Silence()
    with stage_of(progress, Stage.BUILD, _PARTS, unit="parts"), new_generation(index) as folder:
        manifest = Manifest(
            generation=folder.name,
            built_at=datetime.now(UTC),
            revision=revision,
            splitter=SPLITTER,
            text_encoder=text_encoder,
            image_encoder="",
            encoders={text_encoder: catalogue.vectors.dimensions(text_encoder)},
            memes=catalogue.memes.count(),
            rows=_build_parts(folder, catalogue, text_encoder=text_encoder, progress=progress),
        )
        write_manifest(folder, manifest)
    return read_manifest(live_folder(index))


def _live_manifest(index: Path) -> Manifest | None:
    try:
        return read_manifest(live_folder(index))
    except IndexUnusable:
        return None


def _build_parts(folder: Path, catalogue: Catalogue, *, text_encoder: str, progress: Progress) -> dict[str, int]:
    """Write the files of a generation; return how many rows each field has."""
    rows: dict[str, int] = {}
    for field in TEXT_FIELDS:
        owners, vectors = catalogue.vectors.of_field(text_encoder, field)
        rows[field.value] = len(owners)
        if len(owners):
            build_vectors(folder / field.value, vectors, owners=owners)
        progress.advance()
    passages = ((row.meme_id, row.passage.field, row.passage.body) for row in catalogue.texts.passages())
    rows["words"] = build_words(folder / "words", documents_of(passages))
    progress.advance()
    owners, bits = _fingerprints(catalogue, PDQ, np.dtype(np.uint8), PDQ_BITS // 8)
    rows["fingerprints"] = len(owners)
    build_fingerprints(folder / "fingerprints", bits, owners=owners)
    progress.advance()
    owners, looks = _fingerprints(catalogue, LOOK, np.dtype("<f2"), LOOK_DIMENSIONS)
    rows[Field.LOOK.value] = len(owners)
    if len(owners):
        build_vectors(folder / Field.LOOK.value, looks, owners=owners)
    progress.advance()
    return rows


def _fingerprints(catalogue: Catalogue, algorithm: str, dtype: np.dtype, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the owners ([n] int64, rising) and the fingerprints ([n, width]) of an algorithm."""
    found = list(catalogue.pictures.fingerprints(algorithm))
    owners = np.array([id for id, _, _ in found], np.int64)
    rows = np.frombuffer(b"".join(bits for _, _, bits in found), dtype).reshape(len(found), width)
    return owners, rows
