"""The index writer: build a generation from the whole catalogue, or extend the live one by a few memes.

Both use `_write`. A generation is written into a temporary folder and made live by one rename; a failure
leaves the live generation unchanged.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.catalogue import Catalogue
from search.images.fingerprints import LOOK, LOOK_DIMENSIONS, PDQ, PDQ_BITS
from search.index.columns import MemeColumns, are_among, make_columns
from search.index.contents import Contents
from search.index.generations import (
    DENSE,
    FINGERPRINTS,
    LEXICAL,
    LOOKS,
    PICTURES,
    TEXT_FIELDS,
    Manifest,
    new_generation,
    read_live,
    write_manifest,
)
from search.index.lexical.writer import documents_of
from search.index.parts import (
    COLUMNS_PART,
    FINGERPRINTS_PART,
    LEXICAL_PART,
    LOOKS_PART,
    Target,
    WhiteningPart,
    dense_part,
    pictures_part,
)
from search.index.reader import verify_files
from search.index.representatives import Bits, Look, group_added, group_all, middle_frames
from search.index.variants import NEAR
from search.index.vectors.owners import Ids, OwnedRows
from search.meme import Field

WHITENED_PASSAGES = 100_000  # that the whitening is fitted to: those of a sample of memes in a larger library
PARTS = len(TEXT_FIELDS) + 4  # steps of a build: each text field's embeddings, words, fingerprints, looks, pictures


@dataclass(frozen=True)
class Encoders:
    """The encoders that a generation is made with, by name; an empty name for none, 0 dimensions for no rows."""

    text: str
    image: str
    text_dimensions: int
    image_dimensions: int


@dataclass(frozen=True)
class _Written:
    """The result of `_write`: a generation's columns, and the number of rows of each part."""

    columns: MemeColumns
    rows: Mapping[str, int]


def build_generation(
    index: Path,
    catalogue: Catalogue,
    *,
    text_encoder: str,
    image_encoder: str = "",
    splitter: str = "",
    least_weight: float = 0.0,
    on_part: Callable[[], None] = lambda: None,
) -> Manifest:
    """Build a generation of all present memes, make it the live one and return its manifest.

    `on_part` is called PARTS times, after each part. Passages with a weight below `least_weight` are excluded. Raises
    DataFolderError when the folder cannot be written.

    >>> from search.index.writer import build_generation
    >>> manifest = build_generation(folder / "index", workspace.catalogue, text_encoder=encoder.name)
    >>> manifest.generation, manifest.memes, manifest.rows["looks"]
    ('000001', 9, 9)
    """
    # All parts are read in one snapshot, so that they are of one revision.
    with new_generation(index) as folder, catalogue.snapshot():
        encoders = _encoders(catalogue, text_encoder, image_encoder)
        contents = Contents(catalogue, least_weight)
        written = _write(Target(folder), contents, encoders, on_part)
        dimensions = {text_encoder: encoders.text_dimensions} if encoders.text_dimensions else {}
        if image_encoder:
            dimensions[image_encoder] = encoders.image_dimensions
        manifest = Manifest(
            generation=folder.name,
            built_at=datetime.now(UTC),
            revision=catalogue.revision(),
            splitter=splitter,
            text_encoder=text_encoder,
            image_encoder=image_encoder,
            encoders=dimensions,
            memes=len(written.columns),
            rows=written.rows,
        )
        write_manifest(folder, manifest)
    return read_live(index)[1]


def extend_generation(
    index: Path,
    catalogue: Catalogue,
    ids: Collection[int],
    *,
    least_weight: float = 0.0,
    removed: Collection[int] = (),
) -> Manifest:
    """Replace the live generation by one in which these memes are as in the catalogue and all others are unchanged.

    Vanished memes among `ids` are removed, and so are those in `removed`, whatever the catalogue has. The whitening and
    the variants among unchanged memes stay as in the last whole build; the manifest keeps that build's revision and
    counts the changed memes: the next build is a whole one. Raises IndexUnusable when there is no live generation or it
    is damaged, DataFolderError as `build_generation` does.

    >>> from search.index.writer import build_generation, extend_generation
    >>> built = build_generation(folder / "index", workspace.catalogue, text_encoder=encoder.name)
    >>> extended = extend_generation(folder / "index", workspace.catalogue, [1, 2])
    >>> extended.generation, extended.memes, extended.changed
    ('000002', 9, 2)
    """
    source, live = read_live(index)
    verify_files(source, live)
    changed = np.array(sorted({*ids, *removed}), np.int64)
    with new_generation(index) as folder, catalogue.snapshot():
        encoders = Encoders(
            live.text_encoder,
            live.image_encoder,
            text_dimensions=live.encoders.get(live.text_encoder, 0),
            image_dimensions=live.encoders.get(live.image_encoder, 0),
        )
        contents = Contents(catalogue, least_weight, ids=sorted({*ids} - {*removed}))
        written = _write(Target(folder, source, without=changed), contents, encoders, lambda: None)
        manifest = replace(
            live,
            generation=folder.name,
            built_at=datetime.now(UTC),
            memes=len(written.columns),
            rows=written.rows,
            changed=live.changed + len(changed),
        )
        write_manifest(folder, manifest, source=(source, live))
    return read_live(index)[1]


def _encoders(catalogue: Catalogue, text: str, image: str) -> Encoders:
    dimensions = catalogue.embeddings.dimensions
    return Encoders(text, image, dimensions(text), dimensions(image) if image else 0)


def _write(target: Target, contents: Contents, encoders: Encoders, on_part: Callable[[], None]) -> _Written:
    """Write all parts except the manifest; the memes' data comes from `contents`."""
    fields = {field: array("q") for field in TEXT_FIELDS}  # the memes with something in the field
    rows: dict[str, int] = {}

    def texts() -> Iterator[tuple[int, Field, str]]:
        for id, field, text in contents.texts():
            if not fields[field] or fields[field][-1] != id:  # texts come meme by meme
                fields[field].append(id)
            yield id, field, text

    paths = {meme.id: meme.path for meme in contents.memes}
    LEXICAL_PART.write(target, documents_of(texts(), paths=paths))
    on_part()
    if encoders.text_dimensions:
        whitening_part = WhiteningPart(encoders.text_dimensions)
        whitening_part.write(target, rows_to_whiten(contents, encoders.text))
        whitening = whitening_part.open(target.folder)
        for field in TEXT_FIELDS:  # one after the other, so that one field's embeddings are in memory at a time
            own = contents.text_embeddings(encoders.text, field)
            whitening.apply(own.rows)
            part = dense_part(field, dimensions=encoders.text_dimensions)
            rows[f"{DENSE}.{field}"] = part.write(target, own)
            del own
            on_part()
    bits = contents.fingerprints(PDQ, dtype=np.dtype(np.uint8), width=PDQ_BITS // 8)
    rows[FINGERPRINTS] = FINGERPRINTS_PART.write(target, bits)
    on_part()
    looks = contents.fingerprints(LOOK, dtype=np.dtype("<f2"), width=LOOK_DIMENSIONS)
    rows[LOOKS] = LOOKS_PART.write(target, looks)
    on_part()
    owners = {field: np.array(ids, np.int64) for field, ids in fields.items()}
    if encoders.image:
        pictures = contents.picture_embeddings(encoders.image)
        rows[PICTURES] = pictures_part(encoders.image_dimensions).write(target, pictures)
        owners[Field.PICTURE] = np.unique(pictures.owners)
    on_part()
    owners[Field.LOOK] = np.union1d(bits.owners, looks.owners)
    if target.source is None:
        representatives = group_all(bits, looks)
    else:
        representatives = _group_new(target.source, contents, target.without, bits, looks)
    COLUMNS_PART.write(target, make_columns(contents.memes, fields=owners, representatives=representatives))
    columns = COLUMNS_PART.open(target.folder)
    rows |= {f"{LEXICAL}.{field}": int(np.count_nonzero(columns.has[field])) for field in TEXT_FIELDS}
    return _Written(columns, rows)


def rows_to_whiten(contents: Contents, encoder: str) -> Iterator[NDArray[np.float16]]:
    """Yield the embeddings of each text field to which a whitening is fitted."""
    share = WHITENED_PASSAGES / max(contents.catalogue.embeddings.count_stored_passages(), 1)
    for field in TEXT_FIELDS:
        yield contents.text_embeddings(encoder, field, share=share).rows


def _group_new(source: Path, contents: Contents, changed: Ids, bits: OwnedRows, looks: OwnedRows) -> dict[int, int]:
    """Return the representative of each new meme that is a variant of one of another generation, or of a new one."""
    known, columns = LOOKS_PART.open(source), contents.without_gone(COLUMNS_PART.open(source), changed)
    fingerprints = FINGERPRINTS_PART.open(source)
    alone = columns.representatives(without=np.union1d(bits.owners, looks.owners))

    def likely(_: Look, own: Bits) -> tuple[Ids, NDArray[np.floating]]:
        # Variants are near by their fingerprints too, which are read in a hundredth of the time of the looks. Any frame
        # of a meme may be near here; of these few memes, the middle frames are compared.
        near = np.sort(fingerprints.within(own, NEAR)[0])
        near = near[are_among(near, alone)]
        rows = {id: found for id in near.tolist() if len(found := known.rows_of(id))}
        return np.array(list(rows), np.int64), middle_frames(list(rows.values()))

    return group_added(contents.catalogue, bits, looks, likely=likely)
