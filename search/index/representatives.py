"""Which memes of a library are variants of which: of all of them in a build, of a few that come to an index later."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from search.catalogue import Catalogue
from search.encoders.base import unit_rows
from search.images.fingerprints import LOOK_DIMENSIONS, PDQ
from search.index.variants import find_representative, group_variants, is_even
from search.index.vectors.owners import Ids, OwnedRows

Look = NDArray[np.float32]  # [704], of length 1
Bits = NDArray[np.uint8]  # [32], a PDQ fingerprint
# The representatives that may be near a picture: their ids ([n], rising), and the looks of their middle frames.
Likely = Callable[[Look, Bits], tuple[Ids, NDArray[np.floating]]]


def group_all(bits: OwnedRows, looks: OwnedRows) -> dict[int, int]:
    """Return the representative of each meme among its variants, by its id; each meme is compared by one frame.

    `bits` are PDQ fingerprints, `looks` visual descriptors, a row for each frame.
    """
    bits_at, looks_at = _middle_frames(bits.owners), _middle_frames(looks.owners)
    ids = np.array(sorted(bits_at.keys() & looks_at.keys()), np.int64)
    if not len(ids):
        return {}
    # A library of pictures without animations has one frame a meme, and its rows need not be copied.
    is_whole = len(ids) == len(looks)
    own_looks = looks.rows if is_whole else looks.rows[[looks_at[id] for id in ids.tolist()]]
    found = group_variants(ids, own_looks, bits.rows[[bits_at[id] for id in ids.tolist()]])
    return dict(zip(ids.tolist(), found.tolist(), strict=True))


def group_added(catalogue: Catalogue, bits: OwnedRows, looks: OwnedRows, *, likely: Likely) -> dict[int, int]:
    """Return the representative of each new meme that is a variant of one that is there or came before it.

    `bits` and `looks` are of the new memes, as for `group_all`; `likely` finds the memes that are there.
    """
    bits_at, looks_at = _middle_frames(bits.owners), _middle_frames(looks.owners)
    came: list[tuple[int, Look]] = []  # new memes that are no variant of an earlier one

    def fingerprint_of(id: int) -> NDArray[np.uint8] | None:
        if id in bits_at:
            return np.asarray(bits.rows[bits_at[id]])
        found = catalogue.memes.many([id])
        frames = catalogue.pictures.fingerprints_of(found[0].content_hash, PDQ) if found else []
        return np.frombuffer(frames[len(frames) // 2], np.uint8) if frames else None

    representatives = {}
    for id in sorted(bits_at.keys() & looks_at.keys()):
        look = unit_rows(looks.rows[looks_at[id]][None])[0]
        own = np.asarray(bits.rows[bits_at[id]])
        if not is_even(own[None])[0]:
            continue  # a flat picture has no variants, and its fingerprint is near those of thousands
        near, rows = likely(look, own)
        rows = np.concatenate([rows.reshape(-1, LOOK_DIMENSIONS), *(one[None] for _, one in came)])
        found = find_representative(
            look,
            own,
            ids=np.concatenate([near, np.array([one for one, _ in came], np.int64)]),
            looks=unit_rows(rows.astype(np.float32)),
            fingerprint_of=fingerprint_of,
        )
        if found is not None:
            representatives[id] = found
        else:
            came.append((id, look))
    return representatives


def middle_frames(rows: list[NDArray[np.floating]]) -> NDArray[np.floating]:
    """Return the middle one of each meme's frames ([n, 704]); each meme has at least one.

    >>> middle_frames([np.zeros((3, 704)), np.ones((1, 704))])[:, 0].tolist()
    [0.0, 1.0]
    """
    return np.array([own[len(own) // 2] for own in rows], np.float32).reshape(len(rows), LOOK_DIMENSIONS)


def _middle_frames(owners: Ids) -> dict[int, int]:
    """Return the place of each meme's middle frame: the first is often blank or a title."""
    ids, first, frames = np.unique(owners, return_index=True, return_counts=True)
    return dict(zip(ids.tolist(), (first + frames // 2).tolist(), strict=True))
