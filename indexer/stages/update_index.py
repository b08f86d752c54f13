"""A few memes brought up to date in the index at once, without building the whole of it.

A new generation takes over the live one's files, by hard links where nothing in them changes, with the memes' own rows
put in their places; it is switched to by the same rename. What is fitted to the whole library stays as the last whole
build left it: the whitening of embeddings, and which of the memes that were there are variants of each other. So the
manifest keeps that build's revision, and the next `memetica index` builds anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.stages.build_index import WAIT_SECONDS, build_index, live_image_encoder, live_manifest, middle_frames
from indexer.stages.embed_images import embed_few
from indexer.stages.weigh_texts import weigh_meme
from indexer.work.locks import lock
from search.catalogue import Catalogue
from search.encoders.base import TextEncoder
from search.encoders.registry import load_image_encoder
from search.errors import MemeticaError
from search.images.fingerprints import LOOK, LOOK_DIMENSIONS, PDQ, PDQ_BITS
from search.index import DenseIndex, extend_binary, extend_dense
from search.index.columns import Ids, MemeColumns, make_columns, read_columns, update_columns, write_columns
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
    link_file,
    link_folder,
    live_folder,
    new_generation,
    read_manifest,
    write_manifest,
)
from search.index.lexical import documents_of, extend_lexical
from search.index.variants import find_representative
from search.index.whitening import read_whitening
from search.meme import Field, Meme
from search.texts.agreement import LEAST_WEIGHT
from search.texts.chunking import SPLITTER, split_passages
from search.workspace import Workspace


def update_index(workspace: Workspace, ids: Collection[int], *, encoder: TextEncoder) -> Manifest:
    """Let the index hold these memes as the catalogue knows them, and not those that vanished; return the manifest.

    Their texts are cut, embedded and weighed first, and their pictures shown to the image encoder that the index was
    made by. Where the live generation cannot be added to, because there is none or it was made otherwise, a whole one
    is built. Raises DataFolderError as `build_index` does.
    """
    memes = workspace.catalogue.memes.many(sorted(ids))
    embed_texts(workspace.catalogue, memes, encoder=encoder)
    index = workspace.index
    seen_by = live_image_encoder(index)
    if seen_by:
        # What cannot be seen now is seen by the next `memetica index`.
        with suppress(MemeticaError):
            seeing = load_image_encoder(workspace.settings, seen_by, long_running=True)
            workspace.catalogue.embeddings.register(seen_by, dimensions=seeing.dimensions)
            embed_few(workspace, memes, encoder=seeing)
    with lock(workspace.data, "building", seconds=WAIT_SECONDS):
        live = live_manifest(index)
        made_of = (encoder.name, SPLITTER, encoder.dimensions)
        if live is not None and (live.text_encoder, live.splitter, live.encoders.get(encoder.name)) == made_of:
            return _extended(index, live, workspace.catalogue, np.array(sorted(ids), np.int64))
    return build_index(workspace, text_encoder=encoder.name, image_encoder=seen_by)


def embed_texts(catalogue: Catalogue, memes: Sequence[Meme], *, encoder: TextEncoder) -> None:
    """Cut, embed and weigh the texts of a few memes as they are now."""
    catalogue.embeddings.register(encoder.name, dimensions=encoder.dimensions)
    with catalogue.transaction():
        for meme in memes:
            passages = split_passages(meme.path, category=meme.category, texts=catalogue.texts.of(meme))
            catalogue.texts.put_passages(meme.id, passages, splitter=SPLITTER)
    bodies = {row.input_hash: row.passage.body for row in catalogue.texts.passages_of([one.id for one in memes])}
    known = catalogue.embeddings.get(encoder.name, list(bodies))
    missing = [input for input in bodies if input not in known]
    vectors = encoder.encode([bodies[input] for input in missing]) if missing else None
    with catalogue.transaction():
        if vectors is not None:
            catalogue.embeddings.put(encoder.name, missing, vectors)
        for meme in memes:
            weigh_meme(catalogue, meme, encoder=encoder.name)


def _extended(index: Path, live: Manifest, catalogue: Catalogue, changed: Ids) -> Manifest:
    source = live_folder(index)
    with new_generation(index) as folder, catalogue.snapshot():
        memes = sorted(catalogue.memes.many(changed.tolist()), key=lambda meme: meme.id)
        rows = dict(live.rows)
        owners = _words(source, folder, catalogue, memes, changed)
        rows |= _meanings(source, folder, live, catalogue, memes, changed)
        bits = _frames(catalogue, memes, PDQ, np.dtype(np.uint8), PDQ_BITS // 8)
        looks = _frames(catalogue, memes, LOOK, np.dtype("<f2"), LOOK_DIMENSIONS)
        rows[FINGERPRINTS] = extend_binary(
            source / FINGERPRINTS, folder / FINGERPRINTS, bits[1], owners=bits[0], without=changed
        )
        rows[LOOKS] = extend_dense(source / LOOKS, folder / LOOKS, looks[1], owners=looks[0], without=changed)
        owners[Field.LOOK] = np.union1d(bits[0], looks[0])
        if live.image_encoder:
            seen = _seen(catalogue, memes, live.image_encoder)
            rows[PICTURES] = extend_dense(
                source / PICTURES, folder / PICTURES, seen[1], owners=seen[0], without=changed
            )
            owners[Field.PICTURE] = np.unique(seen[0])
        table = read_columns(source / TABLE)
        standing = _standing(DenseIndex.open(source / LOOKS, dimensions=LOOK_DIMENSIONS), table, catalogue, bits, looks)
        table = update_columns(table, make_columns(memes, fields=owners, standing=standing), without=changed)
        write_columns(folder / TABLE, table)
        rows |= {f"{WORDS}.{field}": int(np.count_nonzero(table.has[field])) for field in TEXT_FIELDS}
        manifest = replace(
            live,
            generation=folder.name,
            built_at=datetime.now(UTC),
            memes=len(table),
            rows=rows,
            changed=live.changed + len(changed),
        )
        write_manifest(folder, manifest)
    return read_manifest(live_folder(index))


def _words(source: Path, folder: Path, catalogue: Catalogue, memes: Sequence[Meme], changed: Ids) -> dict[Field, Ids]:
    """Write the word index; return the rising ids of the memes that come with something in each field."""
    found = catalogue.texts.passages_of([one.id for one in memes], least_weight=LEAST_WEIGHT)
    texts = [(row.meme_id, row.passage.field, row.passage.body) for row in found if row.passage.field in TEXT_FIELDS]
    extend_lexical(source / WORDS, folder / WORDS, documents_of(texts), without=changed)
    return {field: np.unique([id for id, of, _ in texts if of is field]).astype(np.int64) for field in TEXT_FIELDS}


def _meanings(
    source: Path, folder: Path, live: Manifest, catalogue: Catalogue, memes: Sequence[Meme], changed: Ids
) -> dict[str, int]:
    """Write each field's embeddings; return how many rows each has."""
    dimensions = live.encoders[live.text_encoder]
    link_file(source / WHITENING, folder / WHITENING)
    whitening = read_whitening(source / WHITENING, dimensions=dimensions)
    counts = {}
    passages = catalogue.texts.passages_of([one.id for one in memes], least_weight=LEAST_WEIGHT)
    vectors = catalogue.embeddings.get(live.text_encoder, [row.input_hash for row in passages])
    for field in TEXT_FIELDS:
        own = [row for row in passages if row.passage.field is field and row.input_hash in vectors]
        owners = np.array([row.meme_id for row in own], np.int64)
        part = f"{MEANINGS}/{field.value}"
        known = DenseIndex.open(source / part, dimensions=dimensions)
        if not len(own) and not np.isin(known.owners, changed).any():
            link_folder(source / part, folder / part)
            counts[f"{MEANINGS}.{field}"] = len(known)
            continue
        rows = np.array([vectors[row.input_hash] for row in own], np.float32).reshape(len(own), dimensions)
        counts[f"{MEANINGS}.{field}"] = extend_dense(
            source / part, folder / part, whitening(rows), owners=owners, without=changed
        )
    return counts


def _frames(
    catalogue: Catalogue, memes: Iterable[Meme], algorithm: str, dtype: np.dtype, width: int
) -> tuple[Ids, NDArray]:
    """Return the owners ([n], rising) and the fingerprints ([n, width]) by an algorithm, a row a frame."""
    found = [
        (meme.id, bits) for meme in memes for bits in catalogue.pictures.fingerprints_of(meme.content_hash, algorithm)
    ]
    rows = np.frombuffer(b"".join(bits for _, bits in found), dtype).reshape(len(found), width)
    return np.array([id for id, _ in found], np.int64), rows


def _seen(catalogue: Catalogue, memes: Iterable[Meme], encoder: str) -> tuple[Ids, NDArray[np.float32]]:
    """Return the owners ([n], rising) and the image encoder's rows ([n, d]) of their frames."""
    found = [(meme.id, catalogue.embeddings.of_picture(encoder, meme.content_hash)) for meme in memes]
    owners = [id for id, rows in found for _ in rows]
    rows = [rows for _, rows in found] or [np.empty((0, catalogue.embeddings.dimensions(encoder)), np.float32)]
    return np.array(owners, np.int64), np.concatenate(rows)


def _standing(
    known: DenseIndex, table: MemeColumns, catalogue: Catalogue, bits: tuple[Ids, NDArray], looks: tuple[Ids, NDArray]
) -> dict[int, int]:
    """Return by its id which meme stands for each that comes, where it is a variant of one that stands for itself."""
    own_bits, own_looks = middle_frames(bits[0]), middle_frames(looks[0])
    there = middle_frames(known.owners)
    coming = np.union1d(bits[0], looks[0])
    alone = table.ids[(table.variant_of == table.ids) & ~np.isin(table.ids, coming)]
    ids = np.array([id for id in alone.tolist() if id in there], np.int64)
    rows = _unit(known.rows[[there[id] for id in ids.tolist()]])

    def bits_of(id: int) -> NDArray[np.uint8] | None:
        if id in own_bits:
            return np.asarray(bits[1][own_bits[id]])
        found = [meme for meme in catalogue.memes.many([id])]
        frames = catalogue.pictures.fingerprints_of(found[0].content_hash, PDQ) if found else []
        return np.frombuffer(frames[len(frames) // 2], np.uint8) if frames else None

    standing = {}
    for id in sorted(own_bits.keys() & own_looks.keys()):
        look = _unit(looks[1][own_looks[id]][None])[0]
        of = find_representative(look, bits[1][own_bits[id]], ids=ids, looks=rows, bits_of=bits_of)
        if of is not None:
            standing[id] = of
        else:
            ids, rows = np.append(ids, id), np.concatenate([rows, look[None]])
    return standing


def _unit(rows: NDArray) -> NDArray[np.float32]:
    found = rows.astype(np.float32)
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)
