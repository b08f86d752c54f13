"""Which contents may be alike, without comparing all with all: near fingerprints, corners seen again, what an
image encoder sees in both, shared words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from search.catalogue import Catalogue
from search.duplicates.keypoint_index import BITS, CORNERS_AN_OCTAVE, CornerIndex, packed, strongest_corners, unpacked
from search.duplicates.keypoints import Corners, mirrored_corners
from search.duplicates.picture import view_of
from search.duplicates.trim import content_of
from search.images.fingerprints import PDQ, hamming, mirrored_bits, pdq, pdq_mirrored
from search.index.binary import near_pairs
from search.index.dense import DenseIndex
from search.meme import Field

CORNERS = "corners-2"
CORNERS_MIRRORED = "corners-mirrored-2"  # of the strongest of them
CONTENT = "pdq-content-1"  # the PDQ fingerprint of what is left without plain surroundings

NEAR_BITS = 48  # of 256: changed light and blur stay below it
SAME_BITS = 8  # nearly the same picture: all of these count, however many
NEAREST = 4  # by each way of looking
MOST_SAME = 16
ORDERED_BITS = 40  # of 256: chains of such steps are mostly one template's memes
MOST_SEEN = 6  # by corners
NEAREST_IN_SIGHT = 3  # by an image encoder
LEAST_COSINE = 0.85  # what an image encoder sees in both is less alike below it than one template's memes are
_SIGHTS = 16  # memes looked at: copies and its own are among them
BULK = 5_000  # contents asked about at once, from which on near fingerprints are found by samples
RARE = 20  # contents that a rare word stands in, at most
SHARED_WORDS = 3
_WORD = re.compile(r"[^\W_]{4,}")

Places = NDArray[np.int64]
Rows = NDArray[np.float32]  # [frames, d], of length 1
Made = TypeVar("Made")


@dataclass(frozen=True)
class Features:
    """By what a content is found: fingerprints ([n, 32] uint8) and corners, upright and mirrored, and words.

    Fingerprints are those of its frames, and of what each shows without plain surroundings, where it has any. `sight`
    is what an image encoder makes of its frames, for a content that asks.
    """

    bits: NDArray[np.uint8]
    mirrored_bits: NDArray[np.uint8]
    corners: tuple[Corners, ...]
    mirrored_corners: tuple[Corners, ...]
    words: frozenset[str] = frozenset()
    sight: Rows | None = None


def features_of(pictures: Sequence[Image.Image], *, text: str = "", sight: Rows | None = None) -> Features:
    """Return the features of a content's pictures, a frame each, and of what they say; `sight` as in Features."""
    views = [view_of(picture) for picture in pictures]
    corners = [strongest_corners(view.corners) for view in views]
    contents = [content for picture in pictures if (content := content_of(picture)) is not picture]
    return Features(
        np.array([pdq(picture)[0] for picture in (*pictures, *contents)], np.uint8).reshape(-1, BITS // 8),
        np.array([pdq_mirrored(picture) for picture in (*pictures, *contents)], np.uint8).reshape(-1, BITS // 8),
        tuple(corners),
        tuple(mirrored_corners(own, view.grey) for own, view in zip(corners, views, strict=True)),
        words_of(text),
        sight,
    )


def words_of(text: str) -> frozenset[str]:
    """Return a text's words of four letters or more, in lower case."""
    return frozenset(_WORD.findall(text.lower()))


def texts_by_content(catalogue: Catalogue) -> dict[str, str]:
    """Return what each present content says, by hash: of several readings the one with the most letters."""
    contents = {meme.id: meme.content_hash for meme in catalogue.memes.everything()}
    read: dict[tuple[str, str], dict[int, str]] = {}
    for row in catalogue.texts.passages(Field.OCR):
        # One meme a content and source: copies of a file would say everything twice.
        owners = read.setdefault((contents[row.meme_id], row.passage.source), {})
        owners[row.meme_id] = f"{owners.get(row.meme_id, '')} {row.passage.body}".strip()
    longest: dict[str, str] = {}
    for (content, _), owners in read.items():
        text = max(owners.values(), key=len)
        if len(text) > len(longest.get(content, "")):
            longest[content] = text
    return longest


class Candidates:
    """The features of a library's contents, ready to be asked; nothing in it changes.

    Of each picture it keeps the fingerprints and the strongest corners, by which it is found. `seen` is an image
    encoder's index of memes, and `place_of` gives the place of each meme's content, by the meme's id.
    """

    def __init__(
        self,
        hashes: Sequence[str],
        features: Sequence[Features],
        *,
        seen: DenseIndex | None = None,
        place_of: Mapping[int, int] | None = None,
    ) -> None:
        self.hashes = list(hashes)
        counts = [len(one.bits) for one in features]
        self._bit_owners = np.repeat(np.arange(len(counts)), counts)
        empty = np.empty((0, BITS // 8), np.uint8)
        self._bits = np.concatenate([empty, *(one.bits for one in features)])
        frames = [corners for one in features for corners in one.corners]
        owners = np.repeat(np.arange(len(counts)), [len(one.corners) for one in features])
        self._corners = CornerIndex.of(frames, owners=owners)
        self._seen = seen
        self._place_of = place_of or {}
        self._words: dict[str, list[int]] = {}
        for place, one in enumerate(features):
            for word in one.words:
                self._words.setdefault(word, []).append(place)

    def __len__(self) -> int:
        return len(self.hashes)

    def of(self, asked: Features) -> list[int]:
        """Return the places of the contents that may be like this one, the likeliest first."""
        others = [*self._by_bits(asked), *self._by_corners(asked), *self._by_sight(asked), *self._by_words(asked)]
        return list(dict.fromkeys(others))

    def of_own(self, places: Sequence[int], *, features: Callable[[int], Features]) -> Callable[[int], list[int]]:
        """Return what tells the places of what may be like one of these, itself left out; any thread may ask it.

        `features` gives those that a place asks with.
        """
        near = self._all_near() if len(places) >= BULK else None

        def found(place: int) -> list[int]:
            asked = features(place)
            by_bits = self._by_bits(asked, without=place) if near is None else near.get(place, [])
            by_corners = self._by_corners(asked, without=place)
            by_sight = self._by_sight(asked, without=place)
            others = [*by_bits, *by_corners, *by_sight, *self._by_words(asked, without=place)]
            return [other for other in dict.fromkeys(others) if other != place]

        return found

    def in_order(self, places: Sequence[int]) -> list[int]:
        """Return the places so that those with near fingerprints come one after another."""
        _, component = connected_components(self._near_graph(), directed=False)
        first = np.searchsorted(self._bit_owners, np.arange(len(self)))
        return sorted(places, key=lambda place: (component[place], self._bits[first[place]].tobytes(), place))

    def _near_graph(self) -> coo_array:
        count = len(self)
        pairs, _ = near_pairs(self._bits, ORDERED_BITS)
        one, other = self._bit_owners[pairs[:, 0]], self._bit_owners[pairs[:, 1]]
        return coo_array((np.ones(len(one), np.bool_), (one, other)), shape=(count, count))

    def _by_bits(self, asked: Features, *, without: int = -1) -> list[int]:
        nearest = np.full(len(self), BITS, np.int64)
        for bits in (*asked.bits, *asked.mirrored_bits):
            np.minimum.at(nearest, self._bit_owners, hamming(bits, self._bits))
        if without >= 0:
            nearest[without] = BITS
        places = np.flatnonzero(nearest <= NEAR_BITS)
        return _nearest(places, nearest[places])

    def _all_near(self) -> dict[int, list[int]]:
        """Return, by place, the places of the contents with near fingerprints, upright or mirrored."""
        count = len(self._bits)
        both = np.concatenate([self._bits, mirrored_bits(self._bits)])
        pairs, distances = near_pairs(both, NEAR_BITS)
        upright = pairs[:, 0] < count  # two mirror images are as near as the pictures themselves
        pairs, distances = pairs[upright], distances[upright]
        first, second = self._bit_owners[pairs[:, 0]], self._bit_owners[pairs[:, 1] % count]
        one, other = np.concatenate([first, second]), np.concatenate([second, first])
        distances = np.concatenate([distances, distances])
        apart = one != other
        one, other, distances = one[apart], other[apart], distances[apart]
        order = np.argsort(one, kind="stable")
        one, other, distances = one[order], other[order], distances[order]
        starts = np.flatnonzero(np.diff(one, prepend=-1))
        found = {}
        for start, end in zip(starts, [*starts[1:], len(one)], strict=True):
            found[int(one[start])] = _nearest(other[start:end], distances[start:end])
        return found

    def _by_corners(self, asked: Features, *, without: int = -1) -> list[int]:
        found: dict[int, int] = {}
        for corners in (*asked.corners, *asked.mirrored_corners):
            owners, votes = self._corners.votes(corners)
            for owner, count in zip(owners[: MOST_SEEN + 1].tolist(), votes[: MOST_SEEN + 1].tolist(), strict=True):
                if owner != without:
                    found[owner] = max(count, found.get(owner, 0))
        return sorted(found, key=lambda owner: (-found[owner], owner))[:MOST_SEEN]

    def _by_sight(self, asked: Features, *, without: int = -1) -> list[int]:
        if self._seen is None or asked.sight is None:
            return []
        best: dict[int, float] = {}
        for row in asked.sight:
            for id, cosine in zip(*self._seen.search(row, _SIGHTS), strict=True):
                place = self._place_of.get(int(id), without)
                if place != without and cosine >= LEAST_COSINE:
                    best[place] = max(cosine, best.get(place, cosine))
        return sorted(best, key=lambda place: (-best[place], place))[:NEAREST_IN_SIGHT]

    def _by_words(self, asked: Features, *, without: int = -1) -> list[int]:
        shared: dict[int, tuple[int, float]] = {}
        for word in sorted(asked.words):
            places = self._words.get(word, [])
            if len(places) > RARE:
                continue
            weight = log(max(2, len(self)) / len(places)) if places else 0.0
            for place in places:
                count, weights = shared.get(place, (0, 0.0))
                shared[place] = count + 1, weights + weight
        enough = [place for place, (count, _) in shared.items() if count >= SHARED_WORDS and place != without]
        return sorted(enough, key=lambda place: (-shared[place][1], place))[:NEAREST]


def _nearest(places: Places, distances: NDArray[np.int64]) -> list[int]:
    """Return the places that are nearest: a few, or all that are nearly the same."""
    order = np.lexsort((places, distances))
    places, distances = places[order], distances[order]
    _, first = np.unique(places, return_index=True)
    first = np.sort(first)
    places, distances = places[first], distances[first]
    same = int((distances <= SAME_BITS).sum())
    return places[: max(NEAREST, min(same, MOST_SAME))].tolist()


def open_candidates(catalogue: Catalogue, *, seen: DenseIndex | None = None) -> Candidates:
    """Return the candidates among all present contents whose corners are in the catalogue.

    `seen` is an image encoder's index of memes, which then has a say.
    """
    contents: dict[int, str] = {}
    owner: dict[str, int] = {}
    for meme in catalogue.memes.everything():
        owner.setdefault(meme.content_hash, meme.id)
        contents[meme.id] = meme.content_hash
    chosen = set(owner.values())

    def by_content(algorithm: str, made_of: Callable[[bytes], Made]) -> dict[str, list[Made]]:
        found: dict[str, list[Made]] = {}
        for id, _, blob in catalogue.pictures.fingerprints(algorithm):
            if id in chosen:
                found.setdefault(contents[id], []).append(made_of(blob))
        return found

    def strongest(blob: bytes) -> Corners:
        return strongest_corners(unpacked(blob), an_octave=CORNERS_AN_OCTAVE)

    bits, contents_bits, corners = by_content(PDQ, bytes), by_content(CONTENT, bytes), by_content(CORNERS, strongest)
    texts = texts_by_content(catalogue)
    hashes = [content for content in owner if content in corners and content in bits]
    features = [
        _features([*bits[one], *contents_bits.get(one, ())], corners[one], [], text=texts.get(one, ""))
        for one in hashes
    ]
    places = {content: place for place, content in enumerate(hashes)}
    place_of = {id: places[content] for id, content in contents.items() if content in places}
    return Candidates(hashes, features, seen=seen, place_of=place_of)


def stored_features(catalogue: Catalogue, content_hash: str, *, text: str = "", seen_by: str = "") -> Features:
    """Return what a content of the catalogue asks for its like with, given what it says; any thread may call it.

    `seen_by` names the image encoder whose embeddings it asks with, where there is one.
    """
    bits, contents_bits, corners, mirrored = (
        catalogue.pictures.fingerprints_of(content_hash, algorithm)
        for algorithm in (PDQ, CONTENT, CORNERS, CORNERS_MIRRORED)
    )
    upright = [strongest_corners(unpacked(blob)) for blob in corners]
    sight = catalogue.embeddings.of_picture(seen_by, content_hash) if seen_by else None
    return _features([*bits, *contents_bits], upright, [unpacked(blob) for blob in mirrored], text=text, sight=sight)


def _features(
    bits: Sequence[bytes],
    corners: Sequence[Corners],
    mirrored: Sequence[Corners],
    *,
    text: str,
    sight: Rows | None = None,
) -> Features:
    own = dict.fromkeys(bits)  # most frames are all content
    rows = np.frombuffer(b"".join(own), np.uint8).reshape(-1, BITS // 8)
    return Features(rows, mirrored_bits(rows), tuple(corners), tuple(mirrored), words_of(text), sight)


def content_bits(pictures: Sequence[Image.Image]) -> list[bytes]:
    """Return the fingerprint of what each frame shows without plain surroundings, as the catalogue keeps it."""
    return [pdq(content_of(picture))[0].tobytes() for picture in pictures]


def packed_corners(pictures: Sequence[Image.Image]) -> tuple[list[bytes], list[bytes]]:
    """Return the corners of each frame as the catalogue keeps them, and those that its mirror image asks with."""
    views = [view_of(picture) for picture in pictures]
    return (
        [packed(view.corners) for view in views],
        [packed(mirrored_corners(strongest_corners(view.corners), view.grey)) for view in views],
    )
