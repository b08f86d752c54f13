"""Made-up inputs on both sides of a limit: a step further each, so that a moved constant moves a step.

Each function returns what the code makes of such ladders. The inputs are drawn here and know no constant of the code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from search.duplicates.alignment.affine import frame_affine
from search.duplicates.alignment.overlay import Overlay, overlay
from search.duplicates.alignment.views import UPRIGHT, Alignment
from search.duplicates.candidates import Candidates, Signature
from search.duplicates.compare_frames import compare_frames
from search.duplicates.comparison import prepare
from search.duplicates.groups import Member
from search.duplicates.keep_rule import Choice, choose_kept
from search.duplicates.keypoints.index import KeypointIndex, KeypointRows
from search.duplicates.keypoints.orb import Keypoints
from search.duplicates.origin.recompression import Compressed, made_from
from search.duplicates.picture import scale_picture
from search.duplicates.rare_words import significant_words
from search.duplicates.trim import content_box
from search.duplicates.wording import ReadLine, words_differ
from search.evidence import Evidence, Tier
from search.images.fingerprints import pdq
from search.index.local import LocalIndex
from search.index.variants import group_variants
from search.meme import Field, MediaType, Meme
from search.query.parser import parse
from search.query.spelling import correct_spelling
from search.ranking.fusion import fuse
from search.ranking.image_retrievers import ImageTextRetriever, descriptor_retriever
from search.ranking.likeness import LIKENESS_WEIGHTS, is_alike
from search.ranking.relevance import FEATURES, RelevanceModel
from search.searcher import Searcher
from search.settings import WEIGHTS
from search.texts.chunking import split_to_fit
from tests.quality.frozen import memes, template_picture

BITS = 256
_AT = np.arange(8)
# Of the discrete cosine transform of 8 samples, orthonormal.
_BASIS = np.sqrt(np.where(_AT == 0, 1, 2) / 8)[:, None] * np.cos((2 * _AT + 1) * _AT[:, None] * np.pi / 16)


def _print_with(ones: int, *, seed: int = 1) -> NDArray[np.uint8]:
    """Return a fingerprint's bits ([256], 0 or 1), so many of which are set."""
    return np.random.default_rng(seed).permutation(np.arange(BITS) < ones).astype(np.uint8)


def _flipped(bits: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Return bits of which so many (an even number) are flipped, as many set as unset."""
    set_, unset = np.flatnonzero(bits), np.flatnonzero(bits == 0)
    changed = bits.copy()
    changed[set_[: count // 2]] = 0
    changed[unset[: count - count // 2]] = 1
    return changed


def rows_at(cosine: float) -> NDArray[np.float32]:
    """Return two rows of length 1 whose cosine is given, [2, 2]."""
    return np.array([[1, 0], [cosine, np.sqrt(1 - cosine**2)]], np.float32)


def variants() -> dict[str, list[bool]]:
    """Return whether two memes are variants, by the cosine of their looks, by differing bits, and by bits set."""

    def grouped(looks: NDArray[np.float32], one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
        return bool(group_variants(np.arange(2), looks, np.packbits(np.stack([one, other]), axis=1)).max() == 0)

    even, same = _print_with(BITS // 2), rows_at(1.0)
    return {
        "cosine": [grouped(rows_at(cosine), even, even) for cosine in np.arange(0.8, 0.99, 0.01)],
        "bits": [grouped(same, even, _flipped(even, count)) for count in range(40, 110, 2)],
        "set": [grouped(same, _print_with(ones), _print_with(ones)) for ones in range(80, BITS // 2, 2)],
    }


def _no_keypoints() -> Keypoints:
    return Keypoints(
        np.zeros((0, 2), np.float32), np.zeros(0, np.uint8), np.zeros(0, np.uint8), np.zeros((0, 32), np.uint8)
    )


def _signature(bits: Iterable[NDArray[np.uint8]], text: str = "") -> Signature:
    rows = np.packbits(np.array(list(bits), np.uint8).reshape(-1, BITS), axis=1)
    return Signature(rows, rows[:0], (_no_keypoints(),), (), significant_words(text))


WORDS = ["walrus", "gargoyle", "umbrella", "zeppelin", "accordion", "marmalade", "telescope"]


def candidates() -> dict[str, list[int]]:
    """Return how many candidates are found, by differing bits, by near contents, by shared words, by their rareness."""
    bits, far = _print_with(BITS // 2), _print_with(BITS // 2, seed=2)

    def found(library: list[Signature], query: Signature) -> int:
        return len(Candidates.of([str(at) for at in range(len(library))], library).find(query))

    query, worded = _signature([bits]), _signature([far], " ".join(WORDS))
    return {
        "bits": [found([_signature([_flipped(bits, count)])], query) for count in range(32, 60, 4)],
        "crowd": [found([_signature([_flipped(bits, apart)])] * 24, query) for apart in (0, 4, 6, 8, 10, 12)],
        "words": [found([_signature([bits], " ".join(WORDS[:count]))], worded) for count in range(len(WORDS))],
        "owners": [found([_signature([bits], " ".join(WORDS))] * count, worded) for count in range(16, 26)],
    }


def votes() -> dict[str, list[int]]:
    """Return the votes for a picture, by the bits in which its keypoints differ, by their number, and by how far apart.

    The picture has 80 keypoints of random descriptors; the query has the same ones, changed.
    """
    generator = np.random.default_rng(4)
    bits = generator.integers(0, 2, (80, BITS), np.uint8)
    points = generator.uniform(0, 400, (80, 2)).astype(np.float32)
    octaves, angles = np.repeat(np.arange(8), 10).astype(np.uint8), generator.integers(0, 256, 80).astype(np.uint8)
    rows = KeypointRows.of([Keypoints(points, octaves, angles, np.packbits(bits, axis=1))])
    index = KeypointIndex.of(rows, owners=np.arange(1))

    def counted(changed: int = 0, *, kept: int = 80, spread: float = 0.0, turned: int = 0) -> int:
        noise = np.stack([generator.permutation(np.arange(BITS) < changed) for _ in range(80)]).astype(np.uint8)
        moved = points * (1 + spread) + 10
        query = Keypoints(
            moved.astype(np.float32)[:kept],
            octaves[:kept],
            (angles[:kept].astype(int) + turned).astype(np.uint8),
            np.packbits(bits ^ noise, axis=1)[:kept],
        )
        return int(index.count_matches(query)[1].sum())

    return {
        "bits": [counted(changed) for changed in range(0, 80, 6)],
        "kept": [counted(kept=kept) for kept in range(1, 10)],
        "spread": [counted(spread=spread) for spread in np.arange(0, 1.6, 0.2)],
        "turned": [counted(turned=turned) for turned in range(0, 40, 3)],
    }


def boxes() -> dict[str, list[list[int]]]:
    """Return the content's box, by the noise of the frame, by the content's size, and by gaps within the content."""
    noise = np.random.default_rng(6)

    def framed(side: int, *, deviation: float = 0.0, gap: int = 0) -> list[int]:
        page = noise.normal(128, deviation, (300, 300))
        start = (300 - side) // 2
        page[start : start + side, start : start + side] = noise.uniform(0, 255, (side, side))
        page[148 : 148 + gap] = 128
        return list(content_box(Image.fromarray(page.clip(0, 255).astype(np.uint8))))

    return {
        "noise": [framed(200, deviation=deviation) for deviation in np.arange(2, 11, 0.75)],
        "size": [
            framed(side) for side in (80, 90, 95, 100, 103, 106, 110, 115, 120, 130, 150, 280, 290, 294, 296, 298)
        ],
        "gap": [framed(200, gap=gap) for gap in range(8)],
    }


def kept() -> dict[str, list[int]]:
    """Return which of two duplicates is kept, by their widths, and whether it is the earlier surely, by their bytes."""

    def better(width: int, size: int, *, later: int = 0) -> Choice:
        when = datetime(2020, 1, 1, tzinfo=UTC)
        near = Evidence(Tier.SAME, covers_one=1.0, covers_other=1.0, differing=0.0)
        seen = when + timedelta(days=later)
        members = [
            Member(Meme(1, "C/1.png", "C", f"{1:064}", MediaType.IMAGE, when, 100_000, 1000, 1000)),
            Member(Meme(2, "C/2.png", "C", f"{2:064}", MediaType.IMAGE, seen, size, width, 1000), Tier.SAME, near),
        ]
        return choose_kept(members)

    return {
        "pixels": [better(width, 90_000).meme.id for width in range(1005, 1075, 5)],
        "bytes": [int(better(1000, size, later=1).is_sure) for size in range(135_000, 165_000, 2500)],
    }


def films() -> dict[str, list[str | None]]:
    """Return the tier of two films by their number of frames, for one, two, … frames that agree."""
    same, other = (
        prepare(Image.fromarray(np.random.default_rng(seed).integers(0, 255, (6, 8, 3), np.uint8)).resize((96, 72)))
        for seed in range(2)
    )
    found = {}
    for count in (4, 5, 8):
        compared = [
            compare_frames([same] * count, [*[same] * agreeing, *[other] * (count - agreeing)])
            for agreeing in range(1, count + 1)
        ]
        found[str(count)] = [film.tier.value if film.tier is not None else None for film in compared]
    return found


def recompressed() -> dict[str, list[int]]:
    """Return which of two pictures was made from the other, by the blocks that one way more, or the other, explains.

    The first has steps of 1 and the second of 12. Of 200 blocks of noise, some differ by what only steps of 12 allow,
    and 60 by more than either does.
    """
    noise = np.random.default_rng(9).normal(128, 20, (80, 160)).astype(np.float32)
    wave = np.zeros((8, 8))
    wave[2, 2] = wave[3, 3] = wave[4, 2] = 1.0

    def told(more: int, *, neither: int) -> int:
        other = noise.copy()
        for at in range(more + neither):
            top, left = at // 20 * 8, at % 20 * 8
            change = _BASIS.T @ (wave * (4.0 if at < more else 30.0)) @ _BASIS
            other[top : top + 8, left : left + 8] += change.astype(np.float32)
        return made_from(Compressed(noise, np.ones((8, 8))), Compressed(other, np.full((8, 8), 12.0)))

    return {
        "clearer": [told(more, neither=60) for more in range(16, 60, 2)],
        "explained": [told(60, neither=neither) for neither in range(80, 120, 2)],
    }


def words() -> dict[str, list[bool]]:
    """Return whether two aligned pictures say different words, by the difference in a word, and by what is cut."""
    size = 200, 200
    box = (0.1, 0.4, 0.9, 0.5)

    def differ(one: Iterable[ReadLine], other: Iterable[ReadLine], laid: Overlay) -> bool:
        return words_differ(tuple(one), tuple(other), Alignment(laid, UPRIGHT), sizes=(size, size))

    def laid(value: int) -> Overlay:
        picture = scale_picture(Image.new("RGB", size))
        found = overlay(picture, picture, affine=frame_affine(size, size))
        assert found is not None
        difference = np.zeros((100, 100), np.uint8)
        difference[40:50, 30:45] = value
        return replace(found, difference=difference)

    def by_difference(text: str, other: str | None) -> list[bool]:
        others = [] if other is None else [ReadLine(other, 0.9, box)]
        return [differ([ReadLine(text, 0.9, box)], others, laid(value)) for value in range(4, 40)]

    def lost(share: float) -> bool:
        # So much of the line's one word, 160 pixels wide, lies right of what the other picture shows.
        found = replace(laid(0), affine=np.array([[1, 0, 20 + 160 * share], [0, 1, 0]]))
        return differ([ReadLine("Halloween", 0.9, box)], [], found)

    def by_faint_digits(value: int) -> bool:
        found = laid(0)
        found.difference[42:45, 30:45] = value  # less than a hundredth of the picture
        return differ([ReadLine("week 1234 of 9", 0.9, box)], [ReadLine("week 5678 of 9", 0.9, box)], found)

    return {
        "faint digits": [by_faint_digits(value) for value in range(1, 16)],
        "another word": by_difference("one more week of work", "one more hour of work"),
        "another line": by_difference("one more week of work", "nobody plays fair"),
        "another number": by_difference("week 1234 of 9", "week 5678 of 9"),
        "unread": by_difference("one more week of work", None),
        "lost": [lost(share / 20) for share in range(1, 20)],
    }


def relevant() -> list[int]:
    """Return how many hits count as relevant when so many doubted ones lie between two that do."""
    by_score = RelevanceModel((1.0, *[0.0] * (len(FEATURES) - 1)), -0.5)
    found = []
    for gap in range(6):
        features = np.zeros((3 + gap, len(FEATURES)))
        features[:, 0] = [0.9, *[0.1] * gap, 0.9, 0.1]
        found.append(by_score.cutoff(features).relevant)
    return found


def alike() -> dict[str, int]:
    """Return, by likeness and signal, how many of 100 memes are alike that have a score of .01, .02, … by it alone."""
    scores = np.arange(1, 101) / 100
    return {
        f"{likeness.value} {signal}": int(
            is_alike(fuse({signal: scores}, {signal: 1.0}, ids=range(len(scores))), likeness).sum()
        )
        for likeness, weights in LIKENESS_WEIGHTS.items()
        for signal in weights
    }


def shares_of_signals() -> dict[str, float]:
    """Return the score of a meme that fits wholly by one signal and not at all by the others, by ranking and signal."""
    rankings = {"query": WEIGHTS} | {likeness.value: weights for likeness, weights in LIKENESS_WEIGHTS.items()}
    found = {}
    for name, weights in rankings.items():
        ids = range(len(weights))
        ranking = fuse({signal: np.eye(len(ids))[at] for at, signal in enumerate(weights)}, weights, ids=ids)
        for signal, score in zip(weights, ranking.scores, strict=True):
            found[f"{name} {signal}"] = round(float(score), 4)
    return found


# Of four to eleven letters, of memes.
WORDS_OF_MEMES = (
    "book",
    "night",
    "recipe",
    "nobody",
    "results",
    "message",
    "galaxies",
    "wednesday",
    "direction",
    "batteries",
)


def corrections(searcher: Searcher, words: Iterable[str]) -> dict[str, list[str]]:
    """Return what words with one and with two wrong letters are read as; the words are of memes."""
    found = {}
    for word in words:
        middle = len(word) // 2
        for typed in (f"{word[:middle]}q{word[middle + 1 :]}", f"{word[:1]}q{word[2:middle]}q{word[middle + 1 :]}"):
            corrected = correct_spelling(parse(typed), searcher.index.lexical).corrections
            found[typed] = [reading for readings in corrected.values() for reading in readings]
    return found


def image_scores(searcher: Searcher) -> dict[str, list[Any]]:
    """Return how many memes a picture is related to, by changed bits, and how well pictures fit some directions."""
    index = searcher.index
    assert isinstance(index, LocalIndex)
    no_layouts = index.looks.rows_of(-1)
    related = []
    for meme in memes()[::30]:
        bits = np.unpackbits(pdq(template_picture(meme["template"], meme["path"]))[0])
        for count in range(30, 90, 4):
            changed = np.packbits(_flipped(bits, count))[None]
            [*_, fingerprints] = descriptor_retriever(no_layouts, changed).asks
            related.append(int(np.isfinite(index.judge([fingerprints], index.columns.ids)[0]).sum()))
    first, second = (index.rows_of(int(index.columns.ids[at]), Field.LOOK)[0] for at in (0, 40))
    seeing = replace(index, pictures=index.looks)
    fits = []
    for share in np.linspace(0, 1, 6):
        direction = ((1 - share) * first + share * second).astype(np.float32)
        retriever = ImageTextRetriever(seeing, direction / np.linalg.norm(direction))
        ids = index.columns.ids[::10]
        fits += [round(float(score), 4) for score in retriever.score(ids, seeing.judge(retriever.asks, ids))]
    return {"related": related, "fits": fits}


def passages() -> list[list[int]]:
    """Return the words of each passage of one long sentence, by its length, for words of one and of three tokens."""
    found = []
    for word in ("a", "umbrellas"):
        for count in range(70, 330, 20):
            found.append([len(piece.split()) for piece in split_to_fit(" ".join([word] * count))])
    return found


DUPLICATE_LIMITS: dict[str, Callable[[], Any]] = {
    "candidates": candidates,
    "votes": votes,
    "boxes": boxes,
    "kept": kept,
    "films": films,
    "recompressed": recompressed,
    "words": words,
}


def search_limits(searcher: Searcher) -> dict[str, Any]:
    """Return what is pinned of variants, of the relevance cut-off, of spelling and of scores by image."""
    return {
        "variants": variants(),
        "relevant": relevant(),
        "alike": alike(),
        "shares of signals": shares_of_signals(),
        "corrections": corrections(searcher, WORDS_OF_MEMES),
        "image scores": image_scores(searcher),
    }
