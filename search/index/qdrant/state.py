"""What every reader of a collection keeps in its own process, as points without vectors in the collection itself.

One state is written with the collection, in pieces. Each later change is a point of its own with what it adds and takes
away, so that two writers at a time lose nothing of each other, and a reader that opens the collection adds them up.
"""

from __future__ import annotations

import base64
import io
import json
import time
import uuid
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qdrant_client import models

from search.errors import IndexUnusable
from search.index.columns import Ids, MemeColumns, read_columns, update_columns, write_columns
from search.index.generations import Manifest
from search.index.qdrant.connection import Connection
from search.index.qdrant.words import WordCounts
from search.index.vectors.whitening import Whitening, read_whitening, write_whitening
from search.meme import Field
from search.system.distribution import __version__

STATE, BASE, CHANGE = "state", "base", "change"
FORMAT = 2  # of a collection
PIECE = 4_000_000  # bytes of one point's part of the state
_HINT = "Write it again: `memetica index --into qdrant:URL`."
_COLUMNS, _WHITENING, _WORDS, _ABOUT = "columns.npz", "whitening.npz", "words.json", "about.json"


@dataclass(frozen=True)
class StoredState:
    """The state of a collection: what readers keep, and the mean lengths that its scores were made with."""

    collection: str
    manifest: Manifest
    columns: MemeColumns
    whitening: Whitening | None
    counts: WordCounts
    samples: Mapping[Field, NDArray[np.floating]]
    mean_lengths: Mapping[str, float]
    changes: int = 0
    applied: frozenset[str] = frozenset()  # the names of these changes

    @property
    def name(self) -> str:
        """The collection's name, and how often it was changed."""
        return _name(self.collection, self.changes)


@dataclass(frozen=True)
class Change:
    """The memes that were put in anew, those that are no longer as they were, and what that adds to the counts."""

    name: str
    added: MemeColumns
    without: Ids
    counts: WordCounts
    rows: Mapping[str, int]

    def write(self, connection: Connection, collection: str) -> None:
        """Add the change to a collection."""
        files = {
            _COLUMNS: _written(write_columns, self.added),
            _WORDS: _json(self.counts.as_json()),
            _ABOUT: _json({"name": self.name, "without": self.without.tolist(), "rows": dict(self.rows)}),
        }
        payload = {STATE: [CHANGE], "collection": collection, "at": time.time_ns(), "data": _packed(files)}
        connection.ask(connection.client.upsert, collection, [_point(payload)], wait=True)

    @classmethod
    def read(cls, payload: Mapping[str, Any]) -> Change:
        """Return the change in a point."""
        files = _unpacked([payload["data"]])
        about = json.loads(files[_ABOUT])
        return cls(
            about.get("name", ""),  # a change of an earlier version has none
            read_columns(io.BytesIO(files[_COLUMNS])),
            np.array(about["without"], np.int64),
            WordCounts.of_json(json.loads(files[_WORDS])),
            about["rows"],
        )

    def applied(self, state: StoredState) -> StoredState:
        """Return a state with the change."""
        state.counts.add(self.counts)
        columns = update_columns(state.columns, self.added, without=self.without)
        rows = {
            key: state.manifest.rows.get(key, 0) + self.rows.get(key, 0) for key in {*state.manifest.rows, *self.rows}
        }
        manifest = replace(
            state.manifest, memes=len(columns), rows=rows, changed=state.manifest.changed + len(self.without)
        )
        applied = state.applied | {self.name}
        return replace(state, manifest=manifest, columns=columns, changes=state.changes + 1, applied=applied)


def write_base(connection: Connection, collection: str, state: StoredState) -> None:
    """Write the state of a new collection."""
    files = {
        _COLUMNS: _written(write_columns, state.columns),
        _WORDS: _json(state.counts.as_json()),
        _ABOUT: _json(
            {
                "format": FORMAT,
                "memetica": __version__,
                "manifest": _manifest_row(state.manifest),
                "mean_lengths": dict(state.mean_lengths),
            }
        ),
        **{f"sample_{field.value}.npy": _written(_save, rows) for field, rows in state.samples.items()},
    }
    if state.whitening is not None:
        files[_WHITENING] = _written(write_whitening, state.whitening)
    data = _packed(files)
    pieces = [data[at : at + PIECE] for at in range(0, len(data), PIECE)]
    for number, piece in enumerate(pieces):
        payload = {STATE: [BASE], "collection": collection, "part": number, "parts": len(pieces), "data": piece}
        connection.ask(connection.client.upsert, collection, [_point(payload)], wait=True)


def state_name(connection: Connection, collection: str) -> str | None:
    """Return the name of a collection's present state, given by its name or alias; None without a whole one."""
    if not _exists(connection, collection):
        return None
    points = list(connection.scroll(collection, _state_filter(), payload=[STATE, "collection", "parts"]))
    payloads = [one.payload or {} for one in points]
    base = [one for one in payloads if one[STATE] == [BASE]]
    if not base or len(base) != base[0]["parts"]:
        return None
    return _name(base[0]["collection"], len(points) - len(base))


def read_state(connection: Connection, collection: str) -> StoredState:
    """Return a collection's present state; raise IndexUnusable when there is none."""
    points: list[dict[str, Any]] = []
    if _exists(connection, collection):
        points = [one.payload or {} for one in connection.scroll(collection, _state_filter(), payload=True, page=8)]
    base = sorted((one for one in points if one[STATE] == [BASE]), key=lambda one: one["part"])
    if not base:
        raise IndexUnusable(f"There is no index in {connection.place} yet.", hint=_HINT)
    try:
        files = _unpacked_base(base)
        about = json.loads(files[_ABOUT])
        if about["format"] != FORMAT:
            raise _other_version(connection.place, about["format"], about.get("memetica", ""))
        found = _read_base(base[0]["collection"], files, about)
        for payload in sorted((one for one in points if one[STATE] == [CHANGE]), key=lambda one: one["at"]):
            found = Change.read(payload).applied(found)
    except (KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise IndexUnusable(f"The index in {connection.place} is damaged: {error}.", hint=_HINT) from error
    return found


def _other_version(place: str, found: int, version: str) -> IndexUnusable:
    """Return the error for a collection of another format, written by a version of Memetica, if it has noted that."""
    age, hint = (
        ("older", _HINT) if found < FORMAT else ("newer", f"Update this Memetica, or {_HINT[0].lower()}{_HINT[1:]}")
    )
    writer = f"Memetica {version}" if version else f"a version of Memetica that is {age} than this one"
    return IndexUnusable(
        f"The index in {place} was written by {writer}: it has the format {found}, this one reads {FORMAT}.", hint=hint
    )


def _unpacked_base(base: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
    if len(base) != base[0]["parts"]:
        raise ValueError("a part of its state is missing")
    return _unpacked([one["data"] for one in base])


def _read_base(collection: str, files: Mapping[str, bytes], about: Mapping[str, Any]) -> StoredState:
    written = about["manifest"]
    manifest = Manifest(**(written | {"built_at": datetime.fromisoformat(written["built_at"])}))
    dimensions = manifest.encoders.get(manifest.text_encoder, 0)
    whitening = files.get(_WHITENING)
    samples = {
        Field(name.removeprefix("sample_").removesuffix(".npy")): np.load(io.BytesIO(raw), allow_pickle=False)
        for name, raw in files.items()
        if name.startswith("sample_")
    }
    return StoredState(
        collection,
        manifest,
        read_columns(io.BytesIO(files[_COLUMNS])),
        read_whitening(io.BytesIO(whitening), dimensions=dimensions) if whitening is not None else None,
        WordCounts.of_json(json.loads(files[_WORDS])),
        samples,
        about["mean_lengths"],
    )


def _manifest_row(manifest: Manifest) -> dict[str, Any]:
    row = asdict(manifest) | {"built_at": manifest.built_at.isoformat()}
    del row["sha256"]  # of a file
    return row


def _exists(connection: Connection, collection: str) -> bool:
    aliases = connection.ask(connection.client.get_aliases).aliases
    if any(one.alias_name == collection for one in aliases):
        return True
    return bool(connection.ask(connection.client.collection_exists, collection))


def _state_filter() -> models.Filter:
    match = models.MatchAny(any=[BASE, CHANGE])
    return models.Filter(must=[models.FieldCondition(key=STATE, match=match)])


def _name(collection: str, changes: int) -> str:
    return f"{collection}+{changes}" if changes else collection


def _point(payload: dict[str, Any]) -> models.PointStruct:
    return models.PointStruct(id=str(uuid.uuid4()), vector={}, payload=payload)


def _written(write: Any, value: Any) -> bytes:
    file = io.BytesIO()
    write(file, value)
    return file.getvalue()


def _save(file: io.BytesIO, rows: NDArray[np.floating]) -> None:
    np.save(file, rows, allow_pickle=False)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _packed(files: Mapping[str, bytes]) -> str:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, raw in files.items():
            archive.writestr(name, raw)
    return base64.b64encode(file.getvalue()).decode("ascii")


def _unpacked(pieces: list[str]) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(base64.b64decode("".join(pieces)))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
