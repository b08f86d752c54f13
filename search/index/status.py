"""The status of the index: its contents, and sentences on what is missing for search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from search.encoders.base import TextEncoder
from search.encoders.clip_models import BUILT_IN, DEFAULT, SMALL, display_name, known_model, spec_of
from search.encoders.coverage import languages_of, reads_english_alone
from search.encoders.text_models import MULTILINGUAL_TEXT, known_text_model
from search.index.contract import Index
from search.meme import Field

BETTER_EYES = (
    f"{DEFAULT} finds pictures by words far better: `memetica models --use default` downloads it "
    f"({known_model(DEFAULT).megabytes:,} MB, {known_model(DEFAULT).license})."
)


@dataclass(frozen=True)
class IndexStatus:
    """The contents of the live generation; `missing` has a sentence for everything that search cannot use."""

    generation: str
    built_at: datetime
    revision: int
    fresh: bool
    memes: int
    rows: Mapping[str, int]
    text_encoder: str
    image_encoder: str
    missing: tuple[str, ...]
    eyes: str = ""  # a sentence on what sees the pictures
    reads: str = ""  # a sentence on what reads the texts, and in which languages


def missing_data_notes(index: Index) -> list[str]:
    """Return a sentence for each kind of data that some memes of an index do not have."""
    found = []
    if index.manifest.memes and index.whitening is None:
        found.append("No text has been embedded: search uses words alone. Run `memetica index`.")
    what = {Field.OCR: "text read from their pictures", Field.DESCRIPTION: "description"}
    if index.manifest.image_encoder:
        what[Field.PICTURE] = f"picture that {display_name(spec_of(index.manifest.image_encoder))} has seen"
    for field, noun in what.items():
        without = index.manifest.memes - int(np.count_nonzero(index.columns.has[field]))
        if without:
            # Junk and texts that the others contradict are shown, and not in the index.
            unsearched = "" if field is Field.PICTURE else ", or none that is searched"
            found.append(f"{without:,} of {index.manifest.memes:,} memes have no {noun}{unsearched}.")
    return found


def image_encoder_notes(index: Index, *, chosen: str, load_error: str) -> list[str]:
    """Return sentences on the image encoder of an index, compared with the `chosen` one of the settings.

    `load_error` is the reason why the chosen encoder cannot be loaded; it is empty when it has not been loaded.
    """
    made_by = spec_of(index.manifest.image_encoder)
    if not made_by and not chosen:
        return [BETTER_EYES]
    found = []
    if made_by != chosen:
        holds = f"pictures as {display_name(made_by)} sees them" if made_by else "no picture as a model sees it"
        other = f"{display_name(chosen)} is chosen" if chosen else "none is chosen"
        found.append(f"The index holds {holds}; {other}. {load_error or 'Run `memetica index`.'}")
    if made_by == BUILT_IN and chosen == made_by:
        found.append(BETTER_EYES)
    return found


def text_encoder_notes(encoder: TextEncoder, *, chosen: str, load_error: str, is_fitted: bool) -> list[str]:
    """Return sentences on the text encoder of an index, compared with the `chosen` one of the settings.

    `load_error` is the reason why the chosen encoder cannot be loaded; `is_fitted` whether what decides which hits
    match by meaning was fitted to the encoder.
    """
    found = []
    made_by = spec_of(encoder.name)
    if made_by != chosen:
        found.append(
            f"The index holds texts as {display_name(made_by)} reads them; {display_name(chosen)} is chosen. "
            f"{load_error or 'Run `memetica index`.'}"
        )
    if not is_fitted:
        found.append(
            f"What {display_name(made_by)} finds by meaning alone is shown, but not called a match: "
            "`memetica evaluate --fit` fits that to this library."
        )
    return found


def reads_sentence(encoder: TextEncoder) -> str:
    """Return a sentence on what reads the texts of an index.

    >>> reads_sentence(encoder)
    'hashing-words-1 reads the texts: every language.'
    """
    languages = languages_of(encoder)
    found = f"{display_name(spec_of(encoder.name))} reads the texts: {languages}."
    if not reads_english_alone(encoder):
        return found
    known = known_text_model(MULTILINGUAL_TEXT)
    assert known is not None
    return (
        f"{found} `memetica models --use {MULTILINGUAL_TEXT}` chooses one that reads {known.languages} "
        f"({known.megabytes:,} MB, {known.license})."
    )


def eyes_sentence(spec: str) -> str:
    """Return a sentence on what sees the pictures of an index, given the specification of its image encoder.

    >>> eyes_sentence("ViT-B-32/laion2b_s34b_b79k")
    'ViT-B-32/laion2b_s34b_b79k sees the pictures.'
    """
    if not spec:
        return (
            "Nothing sees the pictures: words find them by OCR, descriptions and names, and pictures find similar ones "
            "by colours, edges and fingerprints."
        )
    if spec == BUILT_IN:
        return (
            "The built-in image encoder sees the pictures: it finds those that look alike, and by words a thousand "
            "kinds of things."
        )
    if spec == SMALL:
        return f"{SMALL} sees the pictures: it knows drawn scenes such as the demo's, not photographs."
    return f"{display_name(spec)} sees the pictures."
