"""Find candidate pairs of duplicates without comparing all memes with each other.

Candidates have similar fingerprints, keypoints or embeddings, or share rare words.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from search.catalogue import Catalogue
from search.duplicates.keypoints.files import KEYPOINTS
from search.duplicates.keypoints.index import (
    BITS,
    KeypointIndex,
    KeypointRows,
    pack_keypoints,
    strongest_keypoints,
    unpack_keypoints,
)
from search.duplicates.keypoints.orb import Keypoints, mirrored_keypoints
from search.duplicates.keypoints.store import open_keypoints
from search.duplicates.near_fingerprints import NearFingerprints
from search.duplicates.picture import scale_picture
from search.duplicates.rare_words import RareWords, significant_words
from search.duplicates.trim import trim
from search.images.fingerprints import PDQ, pdq, view_bits
from search.index.vectors.binary import BinaryIndex, near_pairs
from search.index.vectors.dense import DenseIndex
from search.index.vectors.owners import OwnedRows
from search.meme import Field
from search.system.lazy_module import LazyModule

if TYPE_CHECKING:
    from scipy.sparse import coo_array

sparse: Any = LazyModule("scipy.sparse")
csgraph: Any = LazyModule("scipy.sparse.csgraph")

MIRRORED_KEYPOINTS = "corners-mirrored-2"  # the strongest keypoints of the mirror image
TRIMMED_PDQ = "pdq-content-1"  # the PDQ fingerprint of the trimmed picture
GROUND_PDQ = "pdq-ground-1"  # of a transparent picture: that of the picture over another ground

NEAR_BITS = 48  # of 256: changes of brightness and blur stay below it
SAME_BITS = 8  # of 256: nearly the same picture; all of these are candidates, up to MOST_SAME
NEAREST = 4  # candidates by fingerprints, and by words
MOST_SAME = 16
ORDERED_BITS = 40  # of 256: memes linked by such distances mostly share a template
MOST_BY_KEYPOINTS = 6
NEAREST_BY_EMBEDDING = 3
LEAST_COSINE = 0.85  # of embeddings; memes of one template are above it
_NEIGHBORS = 16  # nearest memes read from the index, including copies and the meme itself
BULK = 5_000  # queries: from this number on, similar fingerprints are found for thousands at once
_OTHER_GROUND = 64  # levels: white and dark, on which transparent pictures are shown, are nearer to white and black

Places = NDArray[np.int64]
Rows = NDArray[np.float32]  # [frames, d], of length 1


@dataclass(frozen=True)
class Signature:
    """The data to find a content by: fingerprints ([n, 32] uint8), keypoints, words and embeddings.

    Keypoints are upright and mirrored, of each frame. `bits` are upright, of each frame and each trimmed frame, of a
    transparent one also over another ground; `other_bits` ([m, 32] uint8) are those of the mirrored and turned VIEWS.
    `embeddings` ([frames, d] float32, unit length) are used in queries only.
    """

    bits: NDArray[np.uint8]
    other_bits: NDArray[np.uint8]
    keypoints: tuple[Keypoints, ...]
    mirrored_keypoints: tuple[Keypoints, ...]
    words: frozenset[str] = frozenset()
    embeddings: Rows | None = None


def signature_of(pictures: Sequence[Image.Image], *, text: str = "", embeddings: Rows | None = None) -> Signature:
    """Return the signature of a content from its frames, the OCR text, and the frames' embeddings, if any.

    >>> signature = signature_of([Image.linear_gradient("L")], text="A red zeppelin")
    >>> signature.bits.shape, sorted(signature.words)
    ((1, 32), ['zeppelin'])
    """
    scaled = [scale_picture(picture) for picture in pictures]
    keypoints = [strongest_keypoints(view.keypoints) for view in scaled]
    trimmed = [cropped for picture in pictures if (cropped := trim(picture)) is not picture]
    bits = [pdq(picture)[0].tobytes() for picture in (*pictures, *trimmed)] + ground_fingerprints(pictures)
    mirrored = [mirrored_keypoints(upright, view.gray) for upright, view in zip(keypoints, scaled, strict=True)]
    return _signature(bits, keypoints, mirrored, text=text, embeddings=embeddings)


def texts_by_content(catalogue: Catalogue) -> dict[str, str]:
    """Return the OCR text of each present content by its hash; of several readings, the longest."""
    longest: dict[str, str] = {}
    contents = dict(catalogue.memes.contents())
    for id, text in _texts(catalogue.texts.bodies(Field.OCR)):
        if len(text) > len(longest.get(contents[id], "")):
            longest[contents[id]] = text
    return longest


def longest_text(catalogue: Catalogue, content_hash: str) -> str:
    """Return the longest OCR text of a content, empty for none."""
    ids = [meme.id for meme in catalogue.memes.with_content(content_hash)]
    found = catalogue.texts.passages_of(sorted(ids), fields=(Field.OCR,))
    texts = _texts((row.meme_id, row.passage.source, row.passage.body) for row in found)
    return max((text for _, text in texts), key=len, default="")


def _texts(rows: Iterable[tuple[int, str, str]]) -> Iterator[tuple[int, str]]:
    """Yield each text of each meme with the meme's id, of its passages: (meme id, source, body), by meme."""
    for id, own in groupby(rows, key=itemgetter(0)):
        by_source: dict[str, str] = {}
        for _, source, body in own:
            by_source[source] = f"{by_source.get(source, '')} {body}".strip()
        for text in by_source.values():
            yield id, text


class Candidates:
    """What a library's contents are found by: fingerprints in memory, keypoints in memory or in files, rare words.

    It is immutable. A content's place is its position in `hashes`. `image_index` is an image encoder's index of memes,
    and `place_of` maps a meme's id to its content's place.

    >>> pictures = [Image.linear_gradient("L"), Image.radial_gradient("L")]
    >>> library = Candidates.of(["a", "b"], [signature_of([picture]) for picture in pictures])
    >>> [library.hashes[place] for place in library.find(signature_of([pictures[1].resize((200, 200))]))]
    ['b']
    """

    def __init__(
        self,
        hashes: Sequence[str],
        bits: OwnedRows,
        keypoints: Sequence[KeypointIndex],
        words: RareWords,
        *,
        image_index: DenseIndex | None = None,
        place_of: Mapping[int, int] | None = None,
    ) -> None:
        self.hashes = list(hashes)
        self._places = {content: place for place, content in enumerate(self.hashes)}
        self._bits = bits
        self._by_distance = BinaryIndex.of(bits)
        self._keypoints = keypoints
        self._words = words
        self._image_index = image_index
        self._place_of = place_of or {}

    @classmethod
    def of(
        cls,
        hashes: Sequence[str],
        signatures: Sequence[Signature],
        *,
        image_index: DenseIndex | None = None,
        place_of: Mapping[int, int] | None = None,
    ) -> Self:
        """Return the candidates among contents with these signatures, all in memory."""
        bits = [signature.bits for signature in signatures]
        rows = KeypointRows.of(keypoints for signature in signatures for keypoints in signature.keypoints)
        owners = np.repeat(np.arange(len(signatures)), [len(signature.keypoints) for signature in signatures])
        return cls(
            hashes,
            OwnedRows(
                np.repeat(np.arange(len(bits)), [len(own) for own in bits]),
                np.concatenate([np.empty((0, BITS // 8), np.uint8), *bits]),
            ),
            [KeypointIndex.of(rows, owners=owners)],
            RareWords.of(signature.words for signature in signatures),
            image_index=image_index,
            place_of=place_of,
        )

    def __contains__(self, content_hash: str) -> bool:
        return content_hash in self._places

    def __len__(self) -> int:
        return len(self.hashes)

    def find(self, query: Signature) -> list[int]:
        """Return the positions in `hashes` of the contents that may be like the query, the most likely first."""
        others = [*self._by_bits(query), *self._by_keypoints(query), *self._by_embedding(query), *self._by_words(query)]
        return list(dict.fromkeys(others))

    def finder(self, places: Sequence[int], *, signatures: Callable[[int], Signature]) -> Callable[[int], list[int]]:
        """Return a thread-safe function from one of these places to the places of contents that may be like it.

        A place is a position in `hashes`; `signatures` returns a place's signature for the query.
        """
        near = NearFingerprints(self._bits, places, radius=NEAR_BITS) if len(places) >= BULK else None

        def found(place: int) -> list[int]:
            query = signatures(place)
            by_bits = self._by_bits(query, without=place) if near is None else _nearest(*near.of(place))
            by_keypoints = self._by_keypoints(query, without=place)
            by_embedding = self._by_embedding(query, without=place)
            others = [*by_bits, *by_keypoints, *by_embedding, *self._by_words(query, without=place)]
            return [other for other in dict.fromkeys(others) if other != place]

        return found

    def sort_by_likeness(self, places: Sequence[int]) -> list[int]:
        """Return the places in an order in which contents with similar fingerprints are neighbors."""
        _, component = csgraph.connected_components(self._near_graph(), directed=False)
        first = np.searchsorted(self._bits.owners, np.arange(len(self)))
        return sorted(places, key=lambda place: (component[place], self._bits.rows[first[place]].tobytes(), place))

    def _near_graph(self) -> coo_array:
        count = len(self)
        pairs, _ = near_pairs(self._bits.rows, ORDERED_BITS)
        one, other = self._bits.owners[pairs[:, 0]], self._bits.owners[pairs[:, 1]]
        return sparse.coo_array((np.ones(len(one), np.bool_), (one, other)), shape=(count, count))

    def _by_bits(self, query: Signature, *, without: int = -1) -> list[int]:
        within = [self._by_distance.within(bits, NEAR_BITS) for bits in (*query.bits, *query.other_bits)]
        places = np.concatenate([np.empty(0, np.int64), *(places for places, _ in within)])
        distances = np.concatenate([np.empty(0, np.int64), *(distances for _, distances in within)])
        others = places != without
        return _nearest(places[others], distances[others])

    def _by_keypoints(self, query: Signature, *, without: int = -1) -> list[int]:
        found: dict[int, int] = {}
        for keypoints in (*query.keypoints, *query.mirrored_keypoints):
            for index in self._keypoints:
                owners, matches = index.count_matches(keypoints)
                best = slice(MOST_BY_KEYPOINTS + 1)
                for owner, count in zip(owners[best].tolist(), matches[best].tolist(), strict=True):
                    if owner != without:
                        found[owner] = max(count, found.get(owner, 0))
        return sorted(found, key=lambda owner: (-found[owner], owner))[:MOST_BY_KEYPOINTS]

    def _by_embedding(self, query: Signature, *, without: int = -1) -> list[int]:
        if self._image_index is None or query.embeddings is None:
            return []
        best: dict[int, float] = {}
        for row in query.embeddings:
            for id, cosine in zip(*self._image_index.search(row, _NEIGHBORS), strict=True):
                place = self._place_of.get(int(id), without)
                if place != without and cosine >= LEAST_COSINE:
                    best[place] = max(cosine, best.get(place, cosine))
        return sorted(best, key=lambda place: (-best[place], place))[:NEAREST_BY_EMBEDDING]

    def _by_words(self, query: Signature, *, without: int = -1) -> list[int]:
        return self._words.sharing(query.words, without=without)[:NEAREST]


def _nearest(places: Places, distances: NDArray[np.int64]) -> list[int]:
    """Return the nearest places: at least NEAREST, and up to MOST_SAME of those within SAME_BITS."""
    order = np.lexsort((places, distances))
    places, distances = places[order], distances[order]
    _, first = np.unique(places, return_index=True)
    first = np.sort(first)
    places, distances = places[first], distances[first]
    same = int((distances <= SAME_BITS).sum())
    return places[: max(NEAREST, min(same, MOST_SAME))].tolist()


def open_candidates(
    catalogue: Catalogue, *, image_index: DenseIndex | None = None, folder: Path | None = None
) -> Candidates:
    """Return the candidates among all present contents that are decoded.

    `image_index` is an image encoder's index of memes; with it, memes with similar embeddings are candidates too.
    `folder` keeps the index of keypoints in files, which are made when there are none, and again after many changes;
    without it, the keypoints are in memory, 6 kB a content.
    """
    contents = dict(catalogue.memes.contents())
    owner: dict[str, int] = {}
    for id, content in contents.items():
        owner.setdefault(content, id)
    bits = _stored_bits(catalogue, contents, frozenset(owner.values()))
    hashes = [content for content in owner if content in bits]
    places = {content: place for place, content in enumerate(hashes)}
    keypoints = open_keypoints(
        folder,
        {content: bits[content][PDQ] for content in hashes},
        load=lambda content: catalogue.pictures.fingerprints_of(content, KEYPOINTS),
    )
    texts = texts_by_content(catalogue)
    distinct = [dict.fromkeys(row for rows in bits[content].values() for row in rows) for content in hashes]
    return Candidates(
        hashes,
        OwnedRows(
            np.repeat(np.arange(len(distinct)), [len(rows) for rows in distinct]),
            np.frombuffer(b"".join(row for rows in distinct for row in rows), np.uint8).reshape(-1, BITS // 8),
        ),
        keypoints,
        RareWords.of(significant_words(texts.get(content, "")) for content in hashes),
        image_index=image_index,
        place_of=None
        if image_index is None
        else {id: places[content] for id, content in contents.items() if content in places},
    )


def _stored_bits(
    catalogue: Catalogue, contents: Mapping[int, str], chosen: Collection[int]
) -> dict[str, dict[str, list[bytes]]]:
    """Return the fingerprints of the memes' contents by algorithm, by hash; those without one by PDQ are left out."""
    found: dict[str, dict[str, list[bytes]]] = {}
    for algorithm in (PDQ, TRIMMED_PDQ, GROUND_PDQ):
        for id, _, row in catalogue.pictures.fingerprints(algorithm):
            if id in chosen and (algorithm == PDQ or contents[id] in found):
                found.setdefault(contents[id], {}).setdefault(algorithm, []).append(row)
    return found


def stored_signature(catalogue: Catalogue, content_hash: str, *, text: str = "", image_encoder: str = "") -> Signature:
    """Return the signature of a content from the catalogue, with `text` as its OCR text; thread-safe.

    `image_encoder` is the name of the encoder whose embeddings are added; "" adds none.
    """
    bits, trimmed_bits, ground_bits, keypoints, mirrored = (
        catalogue.pictures.fingerprints_of(content_hash, algorithm)
        for algorithm in (PDQ, TRIMMED_PDQ, GROUND_PDQ, KEYPOINTS, MIRRORED_KEYPOINTS)
    )
    upright = [strongest_keypoints(unpack_keypoints(blob)) for blob in keypoints]
    embeddings = catalogue.embeddings.of_picture(image_encoder, content_hash) if image_encoder else None
    return _signature(
        [*bits, *trimmed_bits, *ground_bits],
        upright,
        [unpack_keypoints(blob) for blob in mirrored],
        text=text,
        embeddings=embeddings,
    )


def _signature(
    bits: Sequence[bytes],
    keypoints: Sequence[Keypoints],
    mirrored: Sequence[Keypoints],
    *,
    text: str,
    embeddings: Rows | None = None,
) -> Signature:
    distinct = dict.fromkeys(bits)  # most frames have the same fingerprint when trimmed
    rows = np.frombuffer(b"".join(distinct), np.uint8).reshape(-1, BITS // 8)
    others = view_bits(rows)[:, 1:].reshape(-1, BITS // 8)
    return Signature(rows, others, tuple(keypoints), tuple(mirrored), significant_words(text), embeddings)


def trimmed_fingerprints(pictures: Sequence[Image.Image]) -> list[bytes]:
    """Return the fingerprint of each trimmed frame, as the catalogue stores it."""
    return [pdq(trim(picture))[0].tobytes() for picture in pictures]


def ground_fingerprints(pictures: Sequence[Image.Image]) -> list[bytes]:
    """Return the fingerprints of each transparent frame (RGBA) over other grounds than it is shown over."""
    found = []
    for view in (scale_picture(picture) for picture in pictures if picture.mode == "RGBA"):
        for level in (255, 0):
            if abs(float(view.shown_ground.mean()) - level) > _OTHER_GROUND:
                ground = np.full(3, level, np.float32)
                found.append(pdq(Image.fromarray(view.over(ground).colors))[0].tobytes())
    return found


def keypoint_blobs(pictures: Sequence[Image.Image]) -> tuple[list[bytes], list[bytes]]:
    """Return the keypoints of each frame as the catalogue stores them, and those of its mirror image."""
    scaled = [scale_picture(picture) for picture in pictures]
    return (
        [pack_keypoints(view.keypoints) for view in scaled],
        [pack_keypoints(mirrored_keypoints(strongest_keypoints(view.keypoints), view.gray)) for view in scaled],
    )
