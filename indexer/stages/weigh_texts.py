"""How much each text about a meme counts in search: what others contradict, what is junk, and what the curator says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from indexer.ocr.engines import Line, quality_of
from search.catalogue import Catalogue, ReadingRecord, TextReview
from search.meme import Field, Meme, Text, TextKind
from search.texts.agreement import SourceAgreement, assess_texts, find_contradiction
from search.texts.claims import claims_of, found_share, letters_of

BADLY_READ = 0.5  # a reading of less quality is listed for another try …
JUNK = 0.35  # … and one of less is not searched where anything else speaks for its meme
BATCH = 200  # memes a transaction
FIELDS = {
    TextKind.OCR: (Field.OCR,),
    TextKind.SIMPLE: (Field.DESCRIPTION,),
    TextKind.DETAILED: (Field.VISUAL, Field.ANALYSIS),
}


def weigh_texts(catalogue: Catalogue, *, encoder: str) -> int:
    """Weigh the texts of memes whose texts or judgements have changed; return of how many memes.

    The qualities of their OCR readings are judged anew with them: what descriptions quote may have come since.
    """
    waiting = catalogue.texts.unweighed()
    for start in range(0, len(waiting), BATCH):
        with catalogue.transaction():
            for meme in waiting[start : start + BATCH]:
                weigh_meme(catalogue, meme, encoder=encoder)
    return len(waiting)


def weigh_meme(catalogue: Catalogue, meme: Meme, *, encoder: str) -> None:
    """Weigh the texts of one meme, within the surrounding transaction."""
    heard = assess_texts(catalogue, meme, encoder=encoder)
    disputed = find_contradiction(heard) is not None
    catalogue.texts.put_weights(meme.id, weights_of(catalogue, heard), disputed=disputed)


def weights_of(catalogue: Catalogue, heard: SourceAgreement) -> dict[tuple[Field, str], float]:
    """Return what each of a meme's texts weighs, 0 to 1, by field and source; keep its readings' qualities."""
    meme, texts, said = heard.meme, heard.texts, heard.judged
    speaking = [at for at, one in enumerate(said) if one is not TextReview.WRONG]
    weights = dict.fromkeys(range(len(texts)), 0.0)
    for at, witness in enumerate(heard.witnesses):
        if witness is not None:
            weights[at] = 1.0 if said[at] is TextReview.RIGHT else witness.weight
    qualities = _qualities(catalogue, meme, [texts[at] for at in speaking])
    for at in speaking:
        others = any(weights[other] > 0 and texts[other].source != texts[at].source for other in speaking)
        if said[at] is TextReview.OPEN and others and qualities.get(_key(texts[at]), 1.0) < JUNK:
            weights[at] = 0.0
    return {(field, texts[at].source): weight for at, weight in weights.items() for field in FIELDS[texts[at].kind]}


def _qualities(catalogue: Catalogue, meme: Meme, texts: Sequence[Text]) -> dict[tuple[TextKind, str], float]:
    """Return the qualities of a meme's OCR readings, 0 to 1, keeping those that have changed."""
    quoted = [claims_of(text.body).quoted for text in texts if text.kind in (TextKind.SIMPLE, TextKind.DETAILED)]
    found = {}
    for reading in catalogue.texts.ocr_readings(meme.content_hash):
        quality = reading_quality(reading, quoted)
        if quality != reading.quality:
            catalogue.texts.put_quality(meme.content_hash, reading.source, quality)
        found[TextKind.OCR, reading.source] = quality
    return found


def reading_quality(reading: ReadingRecord, quoted: Sequence[tuple[str, ...]]) -> float:
    """Return how good a reading is in 0 to 1: the engine's confidence, known words and what descriptions quote of it.

    `quoted` are the quotes of each description; the one that agrees best counts, as much as the reading's own look.
    """
    boxes: Sequence[Any] = reading.boxes or ()
    lines = [Line(text, confidence, box) for text, confidence, box in boxes]
    own = quality_of(lines) if reading.boxes is not None else (reading.quality or 0.0)
    letters = letters_of(reading.body)
    shares = [share for share in (found_share(one, letters) for one in quoted) if share is not None]
    return round((own + max(shares)) / 2, 4) if shares and letters else own


def _key(text: Text) -> tuple[TextKind, str]:
    return text.kind, text.source
