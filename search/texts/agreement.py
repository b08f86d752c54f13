"""Several texts about one meme as witnesses: who is supported by the others, and who contradicts them.

Two texts support each other as far as one quotes what the other says or quotes, and as far as they mean the same. A
witness's support is what the others give it, each counted by its own support, so that two who agree outvote a third.
Constants were tuned on one half of cm50 with texts planted among those of other memes (benchmarks/agreement.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.catalogue import Catalogue, TextReview
from search.catalogue.database import text_hash
from search.meme import Field, Meme, Text, TextKind
from search.texts.claims import Claims, claims_of, conflicts, disputed_spans, found_share

# Cosines of two descriptions by MiniLM: on cm50 .13 to .45 of different pictures, .6 and more of one. A description
# that quotes the caption and one that does not are less alike, so little is asked.
LEAST_COSINE = 0.15
MOST_COSINE = 0.5
CONFLICT_COSTS = 0.2  # a conflict in a detail, of the support of 1 that two like texts give each other
ROUNDS = 8
# Where support counts half, and how sharply. On cm50 anything from .5 to .75 does (F1 .98 to .99); its two descriptions
# are by one model, and more alike than those of several models.
HALF = 0.6
SHARPNESS = 12.0
LEAST_WEIGHT = 0.5  # a text that weighs less is shown and not searched: others speak for its meme


@dataclass(frozen=True)
class TextReliability:
    """A text, the support (0 to 1) that the others give it, the weight that follows, and what speaks against it.

    `weight` is 1 for the best supported of a meme's texts; alone, a text is supported by definition.
    """

    text: Text
    support: float
    weight: float
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Contradiction:
    """A meme whose texts contradict each other, the least supported first."""

    meme: Meme
    witnesses: tuple[TextReliability, ...]


def text_weights(texts: Sequence[Text], vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how much each of a meme's texts should count ([n] float64, 0 to 1, the best supported 1).

    `vectors` are the texts' embeddings, [n, d] float32, rows of length 1; a row of zeros where there is none. Raises
    ValueError when they are not one for each text.
    """
    return np.array([witness.weight for witness in rate_texts(texts, vectors)])


def rate_texts(texts: Sequence[Text], vectors: NDArray[np.float32]) -> tuple[TextReliability, ...]:
    """Return a meme's texts as witnesses, in the order given; `vectors` as for `agreement`."""
    if vectors.ndim != 2 or len(vectors) != len(texts):
        raise ValueError(f"{len(texts)} texts want as many vectors, not {vectors.shape}")
    claims = [claims_of(text.body, is_ocr=text.kind is TextKind.OCR) for text in texts]
    pairs = _supports(texts, claims, vectors)
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
    """A meme's texts, what the curator says of each, and each as a witness; None for one that is known to be wrong."""

    meme: Meme
    texts: tuple[Text, ...]
    judged: tuple[TextReview, ...]
    witnesses: tuple[TextReliability | None, ...]


def assess_texts(catalogue: Catalogue, meme: Meme, *, encoder: str) -> SourceAgreement:
    """Return a meme's texts heard against each other; who is known to be wrong speaks no more."""
    texts, vectors = texts_with_vectors(catalogue, meme, encoder=encoder)
    known = catalogue.text_reviews.of(meme.content_hash)
    judged = tuple(known.get((text.kind, text.source, text_hash(text.body)), TextReview.OPEN) for text in texts)
    speaking = [at for at, one in enumerate(judged) if one is not TextReview.WRONG]
    found = dict(zip(speaking, rate_texts([texts[at] for at in speaking], vectors[speaking]), strict=True))
    return SourceAgreement(meme, tuple(texts), judged, tuple(found.get(at) for at in range(len(texts))))


def find_contradiction(heard: SourceAgreement, *, details: bool = False) -> Contradiction | None:
    """Return the contradiction among a meme's texts, or None; who is known to be right is not asked about again.

    With `details`, also where texts that agree as a whole exclude each other in a colour, a number or a denial.
    """
    speaking = [one for one in heard.witnesses if one is not None]
    asked = [
        one for one, said in zip(heard.witnesses, heard.judged, strict=True) if one and said is not TextReview.RIGHT
    ]
    if not any(is_contradicted(witness) or (details and witness.reasons) for witness in asked):
        return None
    return Contradiction(heard.meme, tuple(sorted(speaking, key=lambda one: (one.support, one.text.source))))


def find_contradictions(
    catalogue: Catalogue, *, encoder: str, details: bool = False, after: int | None = None
) -> Iterator[Contradiction]:
    """Yield the present memes with a text that the others contradict, newest first; `encoder` embedded the texts.

    Only those are heard whose texts disagreed when they were weighed, or have changed since; with `details` all are,
    for texts that exclude each other in a detail. `after` is the id of the meme after which to begin.
    """
    asked_of = catalogue.memes.freshest(catalogue.memes.count()) if details else catalogue.texts.disputed(after=after)
    for meme in asked_of:
        found = find_contradiction(assess_texts(catalogue, meme, encoder=encoder), details=details)
        if found is not None:
            yield found


def disputed_spans_in(found: Contradiction, witness: TextReliability) -> list[tuple[int, int]]:
    """Return where one of a contradiction's texts says what another excludes, as (start, end) in letters.

    Texts that support each other well are compared only with those that are contradicted, which are compared with all.
    """
    ocr = witness.text.kind is TextKind.OCR
    spans = [
        span
        for other in found.witnesses
        if other is not witness and (is_contradicted(witness) or is_contradicted(other))
        for span in disputed_spans(
            witness.text.body, other.text.body, is_ocr=ocr, other_is_ocr=other.text.kind is TextKind.OCR
        )
    ]
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def is_contradicted(witness: TextReliability) -> bool:
    """Return whether the others leave a text without support."""
    return bool(witness.support < HALF)


def texts_with_vectors(catalogue: Catalogue, meme: Meme, *, encoder: str) -> tuple[list[Text], NDArray[np.float32]]:
    """Return a meme's descriptions and OCR texts, and their embeddings ([n, d] float32, zeros for none)."""
    texts = [text for text in catalogue.texts.of(meme) if text.body.strip() and text.kind is not TextKind.OTHER]
    passages = [row for row in catalogue.texts.passages_of([meme.id])]
    known = catalogue.embeddings.get(encoder, [row.input_hash for row in passages])
    vectors = np.zeros((len(texts), catalogue.embeddings.dimensions(encoder) or 1), np.float32)
    for at, text in enumerate(texts):
        # What an essay sees, not what it makes of it: its lenses resemble those of other essays.
        fields = {TextKind.SIMPLE: (Field.DESCRIPTION,), TextKind.DETAILED: (Field.VISUAL, Field.ANALYSIS)}
        for field in fields.get(text.kind, ()):
            rows = [
                known[row.input_hash]
                for row in passages
                if (row.passage.field, row.passage.source) == (field, text.source) and row.input_hash in known
            ]
            if rows:
                mean = np.mean(rows, axis=0)
                vectors[at] = mean / max(float(np.linalg.norm(mean)), 1e-9)
                break
    return texts, vectors


def _supports(texts: Sequence[Text], claims: Sequence[Claims], vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how far text j supports text i, [n, n], 0 to 1; NaN on the diagonal and where they cannot be compared."""
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
                parts.append(float(np.clip((cosine - LEAST_COSINE) / (MOST_COSINE - LEAST_COSINE), 0, 1)))
            if parts:
                # Quotes that differ are a contradiction, whatever else is alike: memes of one template look the same.
                supported = min(parts) if len(parts) == 1 else 0.5 * min(parts) + 0.5 * sum(parts) / len(parts)
                if described:
                    supported -= CONFLICT_COSTS * len(conflicts(claims[i], claims[j]))
                pairs[i, j] = pairs[j, i] = max(0.0, supported)
    return pairs


def _quotes_agree(one: Claims, other: Claims) -> float | None:
    """Return how far two texts quote the same, None where one quotes nothing: a describer need not.

    The better of both directions counts, because one may quote a part only.
    """
    shares = [found_share(one.quoted, other.letters), found_share(other.quoted, one.letters)]
    known = [share for share in shares if share is not None]
    return max(known) if len(known) == len(shares) else None


def _consensus(pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each text's support, [n]: what the others give it, weighed by their own; 1 where nobody can say."""
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
    """Return in sentences what better supported texts hold against one."""
    said: list[str] = []
    for other in sorted(range(len(texts)), key=lambda one: -support[one]):
        if other == at or np.isnan(pairs[at, other]) or support[other] < support[at]:
            continue
        named = f"{texts[other].kind} by {texts[other].source}"
        quoted = _quotes_agree(claims[at], claims[other])
        if quoted is not None and quoted < HALF:
            said.append(f"its words agree with the {named} to {quoted:.0%}")
        if TextKind.OCR not in (texts[at].kind, texts[other].kind):
            said += [f"says {one}, unlike the {named}" for one in conflicts(claims[at], claims[other])]
    return tuple(said)
