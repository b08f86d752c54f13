"""The generations of an index on a Qdrant server: a collection each, and an alias for the live one.

A collection is written whole under a name of its own, and the alias is then moved to it by one request: readers have
the one before until then. What a reader keeps in its own process is stored in the collection too, in points without
vectors (`search.index.qdrant.state`).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from qdrant_client import models

from search.catalogue import Catalogue
from search.errors import IndexUnusable
from search.images.fingerprints import LOOK, LOOK_DIMENSIONS, PDQ, PDQ_BITS
from search.index.columns import are_among, make_columns
from search.index.contents import Contents
from search.index.contract import IndexStore, Making, Near
from search.index.generations import TEXT_FIELDS, Manifest
from search.index.lexical.writer import Document, documents_of
from search.index.qdrant.connection import Connection, QdrantAddress, connect
from search.index.qdrant.index import QdrantIndex, vector_rows
from search.index.qdrant.points import (
    BEFORE,
    COUNTS,
    FINGERPRINT,
    PUT,
    TERM_FIELDS,
    counted_payload,
    fingerprint_rows,
    kept_payload,
    point_of,
    terms_of,
    terms_of_payload,
)
from search.index.qdrant.schema import KEYWORDS, NUMBERS, ROWS_INDEXED, collection_settings, row_index
from search.index.qdrant.state import Change, StoredState, read_state, state_name, write_base
from search.index.qdrant.words import WordCounts
from search.index.representatives import Bits, Look, group_added, group_all, middle_frames
from search.index.vectors.owners import Ids, OwnedRows
from search.index.vectors.whitening import Whitening, fit_whitening
from search.index.writer import PARTS, rows_to_whiten
from search.meme import Field

AT_ONCE = 128  # memes of one request
LOOKED_AT = 256  # nearest pictures of a new one, whose representatives it may be a variant of
SAMPLED = 2_000  # pictures that every reader keeps: a text's products with them tell what is high
_TEXTS = frozenset(field.value for field in TEXT_FIELDS)
KEPT_HOURS = 24  # after which a collection that was never finished is removed

Rows = Mapping[str, NDArray[np.floating]]
Item = TypeVar("Item")


class QdrantStore(IndexStore):
    """The collections of one library on a server."""

    def __init__(self, connection: Connection, *, shards: int = 1, replicas: int = 1) -> None:
        self._connection = connection
        self._shards, self._replicas = shards, replicas

    def live(self) -> str | None:
        """Return the name of the live collection and how often it was changed; None when there is none."""
        return state_name(self._connection, self._connection.alias)

    def open(self) -> QdrantIndex:
        """Return the live collection, opened; raise IndexUnusable when there is none."""
        return QdrantIndex(self._connection, read_state(self._connection, self._connection.alias))

    def build(self, catalogue: Catalogue, making: Making, *, on_part: Callable[[], None] = lambda: None) -> Manifest:
        """Write a collection of all present memes, and then move the alias to it; a failure changes nothing.

        `on_part` is called PARTS times. Nothing is decoded, read or embedded: all of it is in the catalogue.
        """
        name = f"{self._connection.alias}--{datetime.now(UTC):%Y%m%d%H%M%S}-{uuid.uuid4().hex[:6]}"
        try:
            with catalogue.snapshot():
                manifest = self._write(name, catalogue, making, on_part)
        except BaseException:
            with suppress(IndexUnusable):
                self._connection.ask(self._connection.client.delete_collection, name)
            raise
        before = self._switch(name)
        self._remove_old({name, before})
        return manifest

    def put(self, catalogue: Catalogue, ids: Collection[int], *, least_weight: float = 0.0) -> Manifest:
        """Make these memes in the live collection as they are in the catalogue."""
        return self._change(catalogue, Contents(catalogue, least_weight, ids=sorted(ids)), ids)

    def drop(self, catalogue: Catalogue, ids: Collection[int]) -> Manifest:
        """Remove memes from the live collection, whatever the catalogue has."""
        return self._change(catalogue, Contents(catalogue, 0.0, ids=()), ids)

    def _write(self, name: str, catalogue: Catalogue, making: Making, on_part: Callable[[], None]) -> Manifest:
        client, ask = self._connection.client, self._connection.ask
        dimensions = {making.text_encoder: catalogue.embeddings.dimensions(making.text_encoder)}
        if making.image_encoder:
            dimensions[making.image_encoder] = catalogue.embeddings.dimensions(making.image_encoder)
        dimensions = {encoder: size for encoder, size in dimensions.items() if size}
        sizes = _sizes(dimensions, text=making.text_encoder, image=making.image_encoder)
        try:
            ask(client.create_collection, name, **collection_settings(sizes, self._shards, self._replicas))
        except IndexUnusable:
            # No other has this name: where it is there, the answer to the first attempt was lost.
            if not ask(client.collection_exists, name):
                raise
        for key, schema in {**KEYWORDS, **NUMBERS}.items():
            ask(client.create_payload_index, name, key, schema)
        for field in ROWS_INDEXED:
            ask(client.create_payload_index, name, *row_index(field))
        on_part()
        contents = Contents(catalogue, making.least_weight)
        whitening = None
        if making.text_encoder in dimensions:
            whitening = fit_whitening(
                rows_to_whiten(contents, making.text_encoder), dimensions=dimensions[making.text_encoder]
            )
        on_part()
        counts, lengths = _counted(contents)
        has: dict[Field, set[int]] = {}
        mean_lengths = {field: max(total / max(counts.memes, 1), 1e-9) for field, total in lengths.items()}
        on_part()
        representatives = group_all(*_frames(contents))
        on_part()
        making_of = _Making(making, dimensions, whitening, mean_lengths)
        rows: dict[str, int] = {}
        for memes in batched(contents.memes, AT_ONCE):
            some = Contents(catalogue, making.least_weight, ids=[meme.id for meme in memes])
            points = list(making_of.points(some, representatives, rows, has))
            ask(client.upsert, name, points, wait=True)
        for _ in range(PARTS - 5):
            on_part()
        columns = make_columns(
            contents.memes,
            fields={field: np.array(sorted(ids), np.int64) for field, ids in has.items()},
            representatives=representatives,
        )
        manifest = Manifest(
            generation=name,
            built_at=datetime.now(UTC),
            revision=catalogue.revision(),
            splitter=making.splitter,
            text_encoder=making.text_encoder,
            image_encoder=making.image_encoder,
            encoders=dimensions,
            memes=len(columns),
            rows=rows,
        )
        samples = {}
        if rows.get(vector_rows(Field.PICTURE)):
            pictures = contents.picture_embeddings(making.image_encoder)
            samples[Field.PICTURE] = pictures.rows[:: max(1, len(pictures) // SAMPLED)]
        found = ask(client.count, name, exact=True).count
        if found != len(columns):
            raise IndexUnusable(
                f"{name} has {found:,} of {len(columns):,} memes.", hint="Run the command again; nothing was switched."
            )
        write_base(
            self._connection, name, StoredState(name, manifest, columns, whitening, counts, samples, mean_lengths)
        )
        on_part()
        return manifest

    def _change(self, catalogue: Catalogue, contents: Contents, ids: Collection[int]) -> Manifest:
        client, ask = self._connection.client, self._connection.ask
        state = read_state(self._connection, self._connection.alias)
        changed = np.array(sorted(ids), np.int64)
        with catalogue.snapshot():
            making = Making(state.manifest.text_encoder, state.manifest.image_encoder)
            making_of = _Making(making, state.manifest.encoders, state.whitening, state.mean_lengths)
            counts, _ = _counted(contents)
            rows: dict[str, int] = {}
            has: dict[Field, set[int]] = {}
            representatives = self._group_new(state, contents, changed)
            points = list(making_of.points(contents, representatives, rows, has))
            added = make_columns(
                contents.memes,
                fields={field: np.array(sorted(has.get(field, ())), np.int64) for field in {*state.columns.has, *has}},
                representatives=representatives,
            )
        there = changed[are_among(changed, state.columns.ids)].tolist()
        before: dict[int, Mapping[str, Any]] = {}
        for some in batched(there, AT_ONCE):
            for point in ask(client.retrieve, state.collection, some, with_payload=True):
                known = counted_payload(point.payload, state.applied)
                if known is not None:
                    before[point.id] = kept_payload(known)
        for known in before.values():
            if _TEXTS.intersection(known["has"]):  # a meme without texts is not counted
                counts.add(WordCounts.of_terms(terms_of_payload(known)), times=-1)
            for key, number in known.get(COUNTS, {}).items():
                rows[key] = rows.get(key, 0) - number
        change = Change(uuid.uuid4().hex, added, changed, counts, rows)
        for point in points:
            replaced = {BEFORE: before[int(point.id)]} if int(point.id) in before else {}
            point.payload = {**(point.payload or {}), PUT: change.name, **replaced}
        gone = sorted(set(there) - set(added.ids.tolist()))
        # A reader leaves out points that its columns do not have: new points come before the change, others go after.
        for batch in batched(points, AT_ONCE):
            ask(client.upsert, state.collection, batch, wait=True)
        change.write(self._connection, state.collection)
        if gone:
            ask(client.delete, state.collection, models.PointIdsList(points=list[Any](gone)), wait=True)
        return read_state(self._connection, self._connection.alias).manifest

    def _group_new(self, state: StoredState, contents: Contents, changed: Ids) -> dict[int, int]:
        """Return the representative of each new meme that is a variant of one of the collection, or of a new one."""
        catalogue, index = contents.catalogue, QdrantIndex(self._connection, state)
        bits, looks = _frames(contents)
        columns = contents.without_gone(state.columns, changed)
        alone = columns.representatives(without=np.union1d(bits.owners, looks.owners))

        def likely(look: Look, _: Bits) -> tuple[Ids, NDArray[np.floating]]:
            [near] = index.propose([Near(Field.LOOK, look)], LOOKED_AT)
            found = np.intersect1d(columns.variant_of[columns.positions(near)], alone)
            frames = {
                meme.id: [
                    np.frombuffer(one, "<f2") for one in catalogue.pictures.fingerprints_of(meme.content_hash, LOOK)
                ]
                for meme in catalogue.memes.many(found.tolist())
            }
            ids = sorted(id for id, own in frames.items() if own)
            return np.array(ids, np.int64), middle_frames([np.array(frames[id]) for id in ids])

        return group_added(catalogue, bits, looks, likely=likely)

    def _switch(self, name: str) -> str:
        """Move the alias to a collection; return the name of the one that it was at."""
        client, alias = self._connection.client, self._connection.alias
        found = self._connection.ask(client.get_aliases).aliases
        before = next((one.collection_name for one in found if one.alias_name == alias), "")
        delete = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias))
        create = models.CreateAliasOperation(create_alias=models.CreateAlias(collection_name=name, alias_name=alias))
        self._connection.ask(
            client.update_collection_aliases,
            change_aliases_operations=[delete, create] if before else [create],
        )
        return before

    def _remove_old(self, kept: Collection[str]) -> None:
        """Remove the collections of the library but the live one and the one before, and those in the making."""
        client = self._connection.client
        ours = re.compile(rf"{re.escape(self._connection.alias)}--(\d{{14}})-[0-9a-f]{{6}}")
        for one in self._connection.ask(client.get_collections).collections:
            found = ours.fullmatch(one.name)  # not that of a library whose alias begins as this one
            if found is None or one.name in kept:
                continue
            began = datetime.strptime(found[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
            old = (datetime.now(UTC) - began).total_seconds() > 3600 * KEPT_HOURS
            if old or state_name(self._connection, one.name) is not None:
                self._connection.ask(client.delete_collection, one.name)


def open_qdrant(
    place: str,
    *,
    key: str = "",
    seconds: float = 10,
    certificate: Path | None = None,
    shards: int = 1,
    replicas: int = 1,
) -> QdrantStore:
    """Return the store that `qdrant:URL` names; nothing is sent to the server yet. Raises WrongUse for another text.

    >>> from search.index.qdrant.store import open_qdrant
    >>> open_qdrant("qdrant:http://127.0.0.1:6333")  # doctest: +ELLIPSIS
    <search.index.qdrant.store.QdrantStore object at ...>
    """
    address = QdrantAddress.parse(place)
    client = connect(address.url, key=key, seconds=seconds, certificate=certificate)
    connection = Connection(client, address.alias, place=f"Qdrant at {address.url}")
    return QdrantStore(connection, shards=shards, replicas=replicas)


class _Making:
    """What points are made with."""

    def __init__(
        self,
        making: Making,
        dimensions: Mapping[str, int],
        whitening: Whitening | None,
        mean_lengths: Mapping[str, float],
    ) -> None:
        self.making, self.dimensions, self.whitening, self.mean_lengths = making, dimensions, whitening, mean_lengths

    def points(
        self, contents: Contents, representatives: Mapping[int, int], rows: dict[str, int], has: dict[Field, set[int]]
    ) -> Iterator[models.PointStruct]:
        """Yield the points of the memes; add to `rows` how many rows there are, and to `has` who has what."""
        own = self._rows(contents)
        keys = {name: "fingerprints" if name == FINGERPRINT else vector_rows(Field(name)) for name in own}
        for name, owned in own.items():
            rows[keys[name]] = rows.get(keys[name], 0) + len(owned.rows)
        texts = {document.id: document for document in _documents(contents)}
        for meme in contents.memes:
            document = texts.get(meme.id, Document(meme.id, {}, meme.path))
            of_meme = {name: _rows_of(owned, meme.id) for name, owned in own.items()}
            for field in document.texts:
                has.setdefault(field, set()).add(meme.id)
            for field, names in {Field.PICTURE: ("picture",), Field.LOOK: ("look", FINGERPRINT)}.items():
                if any(len(of_meme.get(name, ())) for name in names):
                    has.setdefault(field, set()).add(meme.id)
            yield point_of(
                meme,
                document,
                of_meme,
                counts={keys[name]: len(rows_of_meme) for name, rows_of_meme in of_meme.items() if len(rows_of_meme)},
                representative=representatives.get(meme.id, meme.id),
                mean_lengths=self.mean_lengths,
            )

    def _rows(self, contents: Contents) -> dict[str, OwnedRows]:
        found: dict[str, OwnedRows] = {}
        if self.whitening is not None and self.making.text_encoder in self.dimensions:
            for field in TEXT_FIELDS:
                own = contents.text_embeddings(self.making.text_encoder, field)
                # In half precision, as the local index has them.
                white = self.whitening(own.rows).astype(np.float16)
                found[field.value] = OwnedRows(own.owners, white)
        bits, found[Field.LOOK.value] = _frames(contents)
        found[FINGERPRINT] = OwnedRows(bits.owners, fingerprint_rows(bits.rows))
        if self.making.image_encoder in self.dimensions:
            found[Field.PICTURE.value] = contents.picture_embeddings(self.making.image_encoder)
        return found


def _frames(contents: Contents) -> tuple[OwnedRows, OwnedRows]:
    """Return the PDQ fingerprints and the looks of memes, a row for each frame."""
    return (
        contents.fingerprints(PDQ, dtype=np.dtype(np.uint8), width=PDQ_BITS // 8),
        contents.fingerprints(LOOK, dtype=np.dtype("<f2"), width=LOOK_DIMENSIONS),
    )


def _sizes(dimensions: Mapping[str, int], *, text: str, image: str) -> dict[str, int]:
    """Return the number of dimensions by the name of the vector."""
    found = {Field.LOOK.value: LOOK_DIMENSIONS, FINGERPRINT: PDQ_BITS}
    if text in dimensions:
        found |= {field.value: dimensions[text] for field in TEXT_FIELDS}
    if image in dimensions:
        found[Field.PICTURE.value] = dimensions[image]
    return found


def _counted(contents: Contents) -> tuple[WordCounts, dict[str, int]]:
    """Return the counts of all words, and the number of terms by field."""
    counts, lengths = WordCounts(), dict.fromkeys(TERM_FIELDS, 0)
    for document in _documents(contents):
        terms = terms_of(document)
        counts.add(WordCounts.of_terms(terms))
        for field in TERM_FIELDS:
            lengths[field] += terms.length(field)
    return counts, lengths


def _documents(contents: Contents) -> Iterator[Document]:
    return documents_of(contents.texts(), paths={meme.id: meme.path for meme in contents.memes})


def _rows_of(owned: OwnedRows, id: int) -> NDArray[np.floating]:
    start, end = np.searchsorted(owned.owners, [id, id + 1])
    found: NDArray[np.floating] = owned.rows[start:end]
    return found


def batched(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Yield the items in runs of a size; the last may be shorter.

    >>> [*batched([1, 2, 3], 2)]
    [[1, 2], [3]]
    """
    for at in range(0, len(items), size):
        yield items[at : at + size]
