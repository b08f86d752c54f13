"""Three queries to begin with: one that describes, one that quotes, one that means."""

from __future__ import annotations

import re

from search.catalogue import Catalogue
from search.meme import Meme, TextKind
from search.settings import Settings

LOOKED_AT = 60  # of the freshest memes
_PREAMBLE = re.compile(
    r"^(?:this |the )?(?:image|picture|meme|photo|drawing)\b[^.]*?\b(?:shows|depicts|features|of)\s+", re.I
)


def examples(settings: Settings, catalogue: Catalogue) -> tuple[str, ...]:
    """Return example queries: those of the settings, or such as the freshest memes answer."""
    chosen = [one.strip() for one in settings.examples.split("|") if one.strip()]
    if chosen:
        return tuple(chosen[:3])
    found: dict[str, str] = {}
    for meme in catalogue.memes.freshest(LOOKED_AT):
        for kind, example in _of_meme(catalogue, meme):
            found.setdefault(kind, example)
        if len(found) == 3:
            break
    return tuple(found[kind] for kind in ("describes", "quotes", "means") if kind in found)


def _of_meme(catalogue: Catalogue, meme: Meme) -> list[tuple[str, str]]:
    found = []
    for text in catalogue.texts.of(meme):
        words = re.sub(r"[*#_`\"“”]", "", text.body).split()
        if text.kind is TextKind.SIMPLE and len(words) >= 6:
            described = _PREAMBLE.sub("", " ".join(words)).split()
            found.append(("describes", " ".join(described[:7]).rstrip(".,;:").lower()))
        if text.kind is TextKind.OCR and len(words) >= 3 and all(word.isalpha() for word in words[:4]):
            found.append(("quotes", '"' + " ".join(words[:4]).lower() + '"'))
        if text.kind is TextKind.DETAILED:
            theory = re.search(r"^#+ (?!visual)[^\n]*\n+([^\n]{30,})", text.body, re.I | re.M)
            if theory:
                found.append(("means", " ".join(re.sub(r"[*_]", "", theory[1]).split()[:8]).rstrip(".,;:").lower()))
    return found
