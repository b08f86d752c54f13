"""The last stage: index files from the catalogue, built aside and switched by one rename. They are but a cache."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.work.locks import lock
from indexer.work.progress import SILENT, Progress, track_stage
from search.catalogue import Catalogue
from search.errors import IndexUnusable
from search.images.fingerprints import LOOK, LOOK_DIMENSIONS, PDQ, PDQ_BITS
from search.index import build_binary, build_dense
from search.index.columns import Ids, make_columns, write_columns
from search.index.generations import (
    FINGERPRINTS,
    LOOKS,
    MEANINGS,
    PICTURES,
    TABLE,
    TEXT_FIELDS,
    WHITENING,
    WORDS,
    Manifest,
    live_folder,
    new_generation,
    read_manifest,
    write_manifest,
)
from search.index.lexical import build_lexical, documents_of
from search.index.variants import group_variants
from search.index.whitening import fit_whitening, write_whitening
from search.meme import Field, Stage
from search.texts.agreement import LEAST_WEIGHT
from search.texts.chunking import SPLITTER
from search.workspace import Workspace

WAIT_SECONDS = 600  # for another build, before giving up
_PARTS = len(TEXT_FIELDS) + 4  # meanings of each field, words, fingerprints, looks, pictures


def build_index(
    workspace: Workspace,
    *,
    text_encoder: str,
    image_encoder: str = "",
    progress: Progress | None = None,
    force: bool = False,
) -> Manifest:
    """Build a generation from the catalogue, make it the live one and return its manifest.

    When the live one was made of the catalogue as it is, by the same encoders, it stays, unless forced. Raises
    DataFolderError when nothing can be written, or another build does not end; the generation that was live stays so.
    """
    index = workspace.index
    with lock(workspace.data, "building", seconds=WAIT_SECONDS):
        live = None if force else live_manifest(index)
        made_of = (workspace.catalogue.revision(), text_encoder, image_encoder, SPLITTER)
        if live is not None and (live.revision, live.text_encoder, live.image_encoder, live.splitter) == made_of:
            return live
        return _build(
            index,
            workspace.catalogue,
            text_encoder=text_encoder,
            image_encoder=image_encoder,
            progress=progress or SILENT,
        )


def live_manifest(index: Path) -> Manifest | None:
    """Return the live manifest; None when it cannot be read, which a build mends."""
    try:
        return read_manifest(live_folder(index))
    except IndexUnusable:
        return None


def live_image_encoder(index: Path) -> str:
    """Return the name of the image encoder that the live generation was made by, empty without one."""
    live = live_manifest(index)
    return "" if live is None else live.image_encoder


def _build(index: Path, catalogue: Catalogue, *, text_encoder: str, image_encoder: str, progress: Progress) -> Manifest:
    with (
        track_stage(progress, Stage.BUILD, _PARTS, unit="parts"),
        new_generation(index) as folder,
        catalogue.snapshot(),  # so that all parts are of one revision
    ):
        revision = catalogue.revision()
        memes = catalogue.memes.everything()
        owners, rows = _build_words(folder, catalogue)
        progress.advance()
        dimensions = catalogue.embeddings.dimensions(text_encoder)
        if dimensions:
            rows |= _build_meanings(folder, catalogue, text_encoder=text_encoder, progress=progress)
        pictures, bits = _fingerprints(catalogue, PDQ, np.dtype(np.uint8), PDQ_BITS // 8)
        build_binary(folder / FINGERPRINTS, bits, owners=pictures)
        progress.advance()
        lookers, looks = _fingerprints(catalogue, LOOK, np.dtype("<f2"), LOOK_DIMENSIONS)
        build_dense(folder / LOOKS, looks, owners=lookers)
        progress.advance()
        rows |= {FINGERPRINTS: len(pictures), LOOKS: len(lookers)}
        encoders = {text_encoder: dimensions} if dimensions else {}
        if image_encoder:
            encoders[image_encoder] = catalogue.embeddings.dimensions(image_encoder)
            seen, vectors = catalogue.embeddings.of_pictures(image_encoder)
            build_dense(folder / PICTURES, vectors, owners=seen)
            rows[PICTURES] = len(seen)
            owners[Field.PICTURE] = np.unique(seen)
        progress.advance()
        owners[Field.LOOK] = np.union1d(pictures, lookers)
        standing = _standing(pictures, bits, lookers, looks)
        write_columns(folder / TABLE, make_columns(memes, fields=owners, standing=standing))
        manifest = Manifest(
            generation=folder.name,
            built_at=datetime.now(UTC),
            revision=revision,
            splitter=SPLITTER,
            text_encoder=text_encoder,
            image_encoder=image_encoder,
            encoders=encoders,
            memes=len(memes),
            rows=rows,
        )
        write_manifest(folder, manifest)
    return read_manifest(live_folder(index))


def _build_words(folder: Path, catalogue: Catalogue) -> tuple[dict[Field, Ids], dict[str, int]]:
    """Write the word index; return the rising ids of the memes that have something in each field, and their numbers."""
    whose: dict[Field, dict[int, None]] = {field: {} for field in TEXT_FIELDS}

    def texts() -> Iterator[tuple[int, Field, str]]:
        for row in catalogue.texts.passages(least_weight=LEAST_WEIGHT):
            if row.passage.field in whose:
                whose[row.passage.field][row.meme_id] = None
                yield row.meme_id, row.passage.field, row.passage.body

    build_lexical(folder / WORDS, documents_of(texts()))
    owners = {field: np.array(sorted(ids), np.int64) for field, ids in whose.items()}
    return owners, {f"{WORDS}.{field}": len(ids) for field, ids in owners.items()}


def _build_meanings(folder: Path, catalogue: Catalogue, *, text_encoder: str, progress: Progress) -> dict[str, int]:
    """Write each field's embeddings, and the whitening that they went through; return how many rows each has."""
    fields = {
        field: catalogue.embeddings.of_field(text_encoder, field, least_weight=LEAST_WEIGHT) for field in TEXT_FIELDS
    }
    whitening = fit_whitening(
        (vectors for _, vectors in fields.values()), dimensions=catalogue.embeddings.dimensions(text_encoder)
    )
    write_whitening(folder / WHITENING, whitening)
    for field, (owners, vectors) in fields.items():
        build_dense(folder / MEANINGS / field.value, whitening(vectors), owners=owners)
        progress.advance()
    return {f"{MEANINGS}.{field}": len(owners) for field, (owners, _) in fields.items()}


def _standing(pictures: Ids, bits: NDArray, lookers: Ids, looks: NDArray) -> dict[int, int]:
    """Return by its id the meme that stands for another among its variants, by the middle frame of each."""
    own_bits, own_looks = middle_frames(pictures), middle_frames(lookers)
    ids = np.array(sorted(own_bits.keys() & own_looks.keys()), np.int64)
    if not len(ids):
        return {}
    rows = looks[[own_looks[id] for id in ids.tolist()]].astype(np.float32)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    found = group_variants(ids, rows, bits[[own_bits[id] for id in ids.tolist()]])
    return dict(zip(ids.tolist(), found.tolist(), strict=True))


def middle_frames(owners: Ids) -> dict[int, int]:
    """Return the place of each meme's middle frame: the first is often blank or a title."""
    ids, first, frames = np.unique(owners, return_index=True, return_counts=True)
    return dict(zip(ids.tolist(), (first + frames // 2).tolist(), strict=True))


def _fingerprints(catalogue: Catalogue, algorithm: str, dtype: np.dtype, width: int) -> tuple[Ids, NDArray]:
    """Return the owners ([n], rising) and the fingerprints ([n, width]) by an algorithm, a row a frame."""
    found = list(catalogue.pictures.fingerprints(algorithm))
    owners = np.array([id for id, _, _ in found], np.int64)
    rows = np.frombuffer(b"".join(bits for _, _, bits in found), dtype).reshape(len(found), width)
    return owners, rows
