"""Weigh the texts about memes by their agreement, the quality of OCR and the curator's reviews."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from indexer.ocr.engines import Line, quality_of
from search.catalogue import Catalogue, ReadingRecord, TextReview
from search.meme import Field, Meme, Text, TextKind
from search.texts.agreement import CosineRange, SourceAgreement, assess_texts, cosine_range, find_contradiction
from search.texts.claims import claims_of, found_share, letters_of

BADLY_READ = 0.5  # OCR texts below this quality are listed to be read again …
JUNK = 0.35  # … and OCR texts below this are not searched if their meme has another text
BATCH = 200  # memes in one transaction
FIELDS = {
    TextKind.OCR: (Field.OCR,),
    TextKind.SIMPLE: (Field.DESCRIPTION,),
    TextKind.DETAILED: (Field.VISUAL, Field.ANALYSIS),
}


def weigh_texts(catalogue: Catalogue, *, encoder: str) -> int:
    """Weigh the texts of the memes whose texts or reviews have changed; return the number of memes.

    Rates the quality of their OCR texts again, because new descriptions may quote them.
    """
    waiting = catalogue.texts.unweighed()
    cosines = cosine_range(catalogue, encoder)
    for start in range(0, len(waiting), BATCH):
        with catalogue.transaction():
            for meme in waiting[start : start + BATCH]:
                weigh_meme(catalogue, meme, encoder=encoder, cosines=cosines)
    return len(waiting)


def weigh_meme(catalogue: Catalogue, meme: Meme, *, encoder: str, cosines: CosineRange | None = None) -> None:
    """Weigh the texts of one meme; call it within a transaction. `cosines` is measured without it."""
    agreement = assess_texts(catalogue, meme, encoder=encoder, cosines=cosines)
    disputed = find_contradiction(agreement) is not None
    catalogue.texts.put_weights(meme.id, weights_of(catalogue, agreement), disputed=disputed)


def weights_of(catalogue: Catalogue, agreement: SourceAgreement) -> dict[tuple[Field, str], float]:
    """Return the weight of each of a meme's texts, 0 to 1, by field and source; store the quality of its OCR texts."""
    meme, texts, reviews = agreement.meme, agreement.texts, agreement.reviews
    compared = [at for at, one in enumerate(reviews) if one is not TextReview.WRONG]
    weights = dict.fromkeys(range(len(texts)), 0.0)
    for at, reliability in enumerate(agreement.reliabilities):
        if reliability is not None:
            weights[at] = 1.0 if reviews[at] is TextReview.RIGHT else reliability.weight
    qualities = _qualities(catalogue, meme, [texts[at] for at in compared])
    for at in compared:
        others = any(weights[other] > 0 and texts[other].source != texts[at].source for other in compared)
        if reviews[at] is TextReview.OPEN and others and qualities.get(_key(texts[at]), 1.0) < JUNK:
            weights[at] = 0.0
    return {(field, texts[at].source): weight for at, weight in weights.items() for field in FIELDS[texts[at].kind]}


def _qualities(catalogue: Catalogue, meme: Meme, texts: Sequence[Text]) -> dict[tuple[TextKind, str], float]:
    """Return the quality of a meme's OCR texts, 0 to 1, and store those that have changed."""
    quoted = [claims_of(text.body).quoted for text in texts if text.kind in (TextKind.SIMPLE, TextKind.DETAILED)]
    found = {}
    for reading in catalogue.readings.ocr(meme.content_hash):
        quality = reading_quality(reading, quoted)
        if quality != reading.quality:
            catalogue.readings.put_quality(meme.content_hash, reading.source, quality)
        found[TextKind.OCR, reading.source] = quality
    return found


def reading_quality(reading: ReadingRecord, quoted: Sequence[tuple[str, ...]]) -> float:
    """Return the quality of an OCR text, 0 to 1, from the engine's confidence, known words and quotes in descriptions.

    `quoted` has the quotes of each description; the best agreement counts half, the text's own quality the other half.
    """
    boxes: Sequence[Any] = reading.boxes or ()
    lines = [Line(text, confidence, box) for text, confidence, box in boxes]
    own = quality_of(lines) if reading.boxes is not None else (reading.quality or 0.0)
    letters = letters_of(reading.body)
    shares = [share for share in (found_share(one, letters) for one in quoted) if share is not None]
    return round((own + max(shares)) / 2, 4) if shares and letters else own


def _key(text: Text) -> tuple[TextKind, str]:
    return text.kind, text.source
