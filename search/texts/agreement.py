"""Rate the reliability of a meme's texts from several sources by their agreement.

The agreement of two texts depends on the quotes that they have in common and on the cosine of their embeddings. A
text's support is its mean agreement with the others, weighted by their support: two that agree outweigh a third. The
constants were tuned on one half of cm50, with texts inserted from other memes (benchmarks/agreement.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from search.catalogue import Catalogue, TextReview
from search.catalogue.database import text_hash
from search.encoders.base import unit_rows
from search.encoders.minilm import NAME
from search.evidence import percent
from search.meme import Field, Meme, Text, TextKind
from search.texts.claims import Claims, claims_of, conflicts, disputed_spans, found_share

# Cosines of two descriptions by MiniLM: on cm50 .13 to .45 for different pictures, .6 and more for one picture. A
# description that quotes the caption is less like one that does not, so the threshold is low.
LEAST_COSINE = 0.15
MOST_COSINE = 0.5
# For other encoders, the same places among the cosines of descriptions of different memes, in standard deviations from
# their mean: those of MiniLM are MEAN and DEVIATION on cm50's tuned half (`python -m benchmarks.agreement cm50`).
MEAN, DEVIATION = 0.37, 0.1
SAMPLE = 200  # descriptions of different memes that the cosines of another encoder are measured on
MIN_SAMPLE = 30  # with fewer, the range of MiniLM is used
CONFLICT_COSTS = 0.2  # subtracted from the agreement (0 to 1) of two texts for each conflicting detail
ROUNDS = 8
# The support at which a text's weight is one half, and the slope there. On cm50 any value from .5 to .75 works (F1
# .98 to .99); its two descriptions are by one model, and more alike than those of several models.
HALF = 0.6
SHARPNESS = 12.0
LEAST_WEIGHT = 0.5  # texts below this weight are shown but not searched: their memes have better ones


class CosineRange(NamedTuple):
    """The cosines of two descriptions at which they agree not at all, and wholly."""

    least: float
    most: float


MINILM_RANGE = CosineRange(LEAST_COSINE, MOST_COSINE)


def cosine_range(catalogue: Catalogue, encoder: str) -> CosineRange:
    """Return the range of an encoder's cosines, measured on the descriptions of different memes of this library.

    It is never above MiniLM's: where all descriptions are alike, as of one template's memes, honest ones that differ
    would be called contradictory. With an encoder whose cosines are all high, details alone contradict each other.

    >>> cosine_range(workspace.catalogue, encoder.name)
    CosineRange(least=0.15, most=0.5)
    """
    if encoder == NAME:
        return MINILM_RANGE
    rows = catalogue.embeddings.sample_of_field(encoder, Field.DESCRIPTION, limit=SAMPLE)
    if len(rows) < MIN_SAMPLE:
        return MINILM_RANGE
    rows = unit_rows(rows)
    cosines = (rows @ rows.T)[np.triu_indices(len(rows), 1)]
    stretch = float(cosines.std()) / DEVIATION
    least = float(cosines.mean()) + (LEAST_COSINE - MEAN) * stretch
    most = float(cosines.mean()) + (MOST_COSINE - MEAN) * stretch
    return CosineRange(round(min(least, LEAST_COSINE), 4), round(min(most, MOST_COSINE), 4))


@dataclass(frozen=True)
class TextReliability:
    """A text, its support by the other texts (0 to 1), the weight that follows (0 to 1), and reasons against it.

    The best supported text of a meme has a weight of 1. A text without others to compare has full support.
    """

    text: Text
    support: float
    weight: float
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Contradiction:
    """A meme whose texts contradict each other; `reliabilities` has the least supported text first."""

    meme: Meme
    reliabilities: tuple[TextReliability, ...]


def text_weights(texts: Sequence[Text], vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the weight of each of a meme's texts ([n] float64, 0 to 1; the best supported has 1).

    `vectors` are the texts' embeddings, [n, d] float32 with rows of length 1; a row of zeros means no embedding.
    Raises ValueError when there is not one row for each text.

    >>> from search.meme import Text, TextKind
    >>> texts = [Text(TextKind.SIMPLE, source, "a cat") for source in ("model-a", "model-b")]
    >>> texts.append(Text(TextKind.SIMPLE, "model-c", "two dogs"))
    >>> text_weights(texts, np.eye(3, dtype=np.float32)[[0, 0, 1]]).round(2)
    array([1., 1., 0.])
    """
    return np.array([reliability.weight for reliability in rate_texts(texts, vectors)])


def rate_texts(
    texts: Sequence[Text], vectors: NDArray[np.float32], *, cosines: CosineRange = MINILM_RANGE
) -> tuple[TextReliability, ...]:
    """Return the reliability of each of a meme's texts, in their order; `vectors` are as for `text_weights`.

    `cosines` is the range of the encoder's cosines.
    """
    if vectors.ndim != 2 or len(vectors) != len(texts):
        raise ValueError(f"vectors of shape {vectors.shape} do not fit {len(texts)} texts")
    claims = [claims_of(text.body, is_ocr=text.kind is TextKind.OCR) for text in texts]
    pairs = _supports(texts, claims, vectors, cosines)
    support = _consensus(pairs)
    trusted = 1 / (1 + np.exp(-SHARPNESS * (support - HALF)))
    best = trusted.max(initial=0.0)
    return tuple(
        TextReliability(
            text=text,
            support=round(float(support[at]), 4),
            weight=round(float(trusted[at] / best), 4),
            reasons=_reasons(at, texts, claims, pairs, support),
        )
        for at, text in enumerate(texts)
    )


@dataclass(frozen=True)
class SourceAgreement:
    """A meme's texts, the curator's review of each, and the reliability of each (None for one reviewed as wrong)."""

    meme: Meme
    texts: tuple[Text, ...]
    reviews: tuple[TextReview, ...]
    reliabilities: tuple[TextReliability | None, ...]


def assess_texts(
    catalogue: Catalogue, meme: Meme, *, encoder: str, cosines: CosineRange | None = None
) -> SourceAgreement:
    """Return the agreement of a meme's texts; those that the curator reviewed as wrong are not compared.

    `cosines` is the range of the encoder's cosines; without it, it is measured where two descriptions are compared.
    """
    texts, vectors = texts_with_vectors(catalogue, meme, encoder=encoder)
    known = catalogue.text_reviews.of(meme.content_hash)
    reviews = tuple(known.get((text.kind, text.source, text_hash(text.body)), TextReview.OPEN) for text in texts)
    compared = [at for at, one in enumerate(reviews) if one is not TextReview.WRONG]
    if cosines is None:
        is_needed = np.count_nonzero(vectors[compared].any(axis=1)) > 1
        cosines = cosine_range(catalogue, encoder) if is_needed else MINILM_RANGE
    rated = rate_texts([texts[at] for at in compared], vectors[compared], cosines=cosines)
    found = dict(zip(compared, rated, strict=True))
    return SourceAgreement(meme, tuple(texts), reviews, tuple(found.get(at) for at in range(len(texts))))


def find_contradiction(agreement: SourceAgreement, *, details: bool = False) -> Contradiction | None:
    """Return the contradiction among a meme's texts, or None; texts that the curator reviewed as right do not count.

    With `details`, texts that agree as a whole but conflict in a colour, a number or a denial count too.
    """
    compared = [reliability for reliability in agreement.reliabilities if reliability is not None]
    doubtful = [
        reliability
        for reliability, review in zip(agreement.reliabilities, agreement.reviews, strict=True)
        if reliability and review is not TextReview.RIGHT
    ]
    if not any(is_contradicted(reliability) or (details and reliability.reasons) for reliability in doubtful):
        return None
    return Contradiction(agreement.meme, tuple(sorted(compared, key=lambda rated: (rated.support, rated.text.source))))


def find_contradictions(
    catalogue: Catalogue, *, encoder: str, details: bool = False, after: int | None = None
) -> Iterator[Contradiction]:
    """Yield the present memes with a text that the others contradict, newest first; `encoder` embedded the texts.

    Only memes whose texts disagreed at the last weighing or have changed since are compared; with `details` all memes,
    to find conflicts in details. `after` is the id of the last meme of the page before.

    >>> list(find_contradictions(workspace.catalogue, encoder=encoder.name))
    []
    """
    cosines = cosine_range(catalogue, encoder)
    memes = catalogue.memes.freshest(catalogue.memes.count()) if details else catalogue.texts.disputed(after=after)
    for meme in memes:
        found = find_contradiction(assess_texts(catalogue, meme, encoder=encoder, cosines=cosines), details=details)
        if found is not None:
            yield found


def disputed_spans_in(found: Contradiction, reliability: TextReliability) -> list[tuple[int, int]]:
    """Return the spans of a text that conflict with another of the contradiction, as (start, end) character positions.

    A contradicted text is compared with all others, the other texts only with contradicted ones.
    """
    ocr = reliability.text.kind is TextKind.OCR
    spans = [
        span
        for other in found.reliabilities
        if other is not reliability and (is_contradicted(reliability) or is_contradicted(other))
        for span in disputed_spans(
            reliability.text.body, other.text.body, is_ocr=ocr, other_is_ocr=other.text.kind is TextKind.OCR
        )
    ]
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def is_contradicted(reliability: TextReliability) -> bool:
    """Return whether the other texts contradict this one: its support is below HALF."""
    return bool(reliability.support < HALF)


def texts_with_vectors(catalogue: Catalogue, meme: Meme, *, encoder: str) -> tuple[list[Text], NDArray[np.float32]]:
    """Return a meme's descriptions and OCR texts, and their embeddings ([n, d] float32, zeros without an embedding)."""
    texts = [text for text in catalogue.texts.of(meme) if text.body.strip() and text.kind is not TextKind.OTHER]
    passages = [row for row in catalogue.texts.passages_of([meme.id])]
    known = catalogue.embeddings.get(encoder, [row.input_hash for row in passages])
    vectors = np.zeros((len(texts), catalogue.embeddings.dimensions(encoder) or 1), np.float32)
    for at, text in enumerate(texts):
        # Of an analysis, use the visual part: interpretations of different memes resemble each other.
        fields = {TextKind.SIMPLE: (Field.DESCRIPTION,), TextKind.DETAILED: (Field.VISUAL, Field.ANALYSIS)}
        for field in fields.get(text.kind, ()):
            rows = [
                known[row.input_hash]
                for row in passages
                if (row.passage.field, row.passage.source) == (field, text.source) and row.input_hash in known
            ]
            if rows:
                vectors[at] = unit_rows(np.mean(rows, axis=0)[None])[0]
                break
    return texts, vectors


def _supports(
    texts: Sequence[Text], claims: Sequence[Claims], vectors: NDArray[np.float32], cosines: CosineRange
) -> NDArray[np.float64]:
    """Return the agreement of each pair of texts, [n, n], 0 to 1; NaN on the diagonal and for incomparable texts."""
    count = len(texts)
    pairs = np.full((count, count), np.nan)
    for i in range(count):
        for j in range(i):
            parts = []
            quoted = _quotes_agree(claims[i], claims[j])
            if quoted is not None:
                parts.append(quoted)
            described = TextKind.OCR not in (texts[i].kind, texts[j].kind)
            if described and vectors[i].any() and vectors[j].any():
                cosine = float(vectors[i] @ vectors[j])
                parts.append(float(np.clip((cosine - cosines.least) / (cosines.most - cosines.least), 0, 1)))
            if parts:
                # Differing quotes always count: descriptions of memes of one template are alike.
                supported = min(parts) if len(parts) == 1 else 0.5 * min(parts) + 0.5 * sum(parts) / len(parts)
                if described:
                    supported -= CONFLICT_COSTS * len(conflicts(claims[i], claims[j]))
                pairs[i, j] = pairs[j, i] = max(0.0, supported)
    return pairs


def _quotes_agree(one: Claims, other: Claims) -> float | None:
    """Return the share of quotes that two texts have in common; None if one of them has no quotes.

    It is the larger share of both directions, because one text may quote only a part.
    """
    shares = [found_share(one.quoted, other.letters), found_share(other.quoted, one.letters)]
    known = [share for share in shares if share is not None]
    return max(known) if len(known) == len(shares) else None


def _consensus(pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each text's support, [n]: its mean agreement, weighted by the others' support; 1 without others."""
    count = len(pairs)
    support = np.ones(count)
    comparable = ~np.isnan(pairs)
    given = np.where(comparable, pairs, 0.0)
    for _ in range(ROUNDS):
        weights = comparable * np.maximum(support, 1e-3)[None, :]
        total = weights.sum(axis=1)
        support = np.where(total > 0, (weights * given).sum(axis=1) / np.where(total > 0, total, 1), 1.0)
    found: NDArray[np.float64] = support
    return found


def _reasons(
    at: int,
    texts: Sequence[Text],
    claims: Sequence[Claims],
    pairs: NDArray[np.float64],
    support: NDArray[np.float64],
) -> tuple[str, ...]:
    """Return phrases on how better supported texts disagree with the text at a position."""
    said: list[str] = []
    for other in sorted(range(len(texts)), key=lambda one: -support[one]):
        if other == at or np.isnan(pairs[at, other]) or support[other] < support[at]:
            continue
        named = _named(texts[other])
        quoted = _quotes_agree(claims[at], claims[other])
        if quoted is not None and quoted < HALF:
            said.append(f"only {percent(quoted)} of its words agree with {named}")
        if TextKind.OCR not in (texts[at].kind, texts[other].kind):
            said += [f"says {one}, unlike {named}" for one in conflicts(claims[at], claims[other])]
    return tuple(said)


def _named(text: Text) -> str:
    if text.kind is TextKind.OCR:
        return "the text in the picture"
    return f"the {text.kind.replace('-', ' ')} by {text.source}"
