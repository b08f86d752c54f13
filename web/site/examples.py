"""Three queries to begin with: one that describes, one that quotes, one that means."""

from __future__ import annotations

import re
from collections.abc import Iterator

from search.catalogue import Catalogue
from search.meme import Meme, TextKind
from search.workspace import Workspace

KINDS = ("describes", "quotes", "means")
LOOKED_AT = 60  # of the freshest memes
ENOUGH = 3  # of each kind, to choose different memes from
LEAST, MOST = 3, 8  # words of an example
# How descriptions begin before they say what is there.
_PREAMBLE = re.compile(
    r"^(?:\w+ )?\w+:\s+|"
    r"^(?:this is |in )?(?:an? |this |the )?(?:main )?(?:image|picture|meme|comic|photo|drawing|content|scene)\b"
    r"[^.]{0,40}?\b(?:shows|depicts|features|featuring|consists of|of)\s+"
    r"(?:an? (?:illustration|image|picture|scene) of )?",
    re.I,
)
_NO_MEANING = r"visual|text|ocr|transcri"  # headings under which an analysis says what is seen and written
_LOOSE_ENDS = re.compile(
    r"(?:\s+(?:an?|and|are|as|at|be|by|for|from|has|have|he|in|into|is|its?|of|on|or|she|that|the|their|them|they|this|"
    r"to|was|were|which|who|whose|with))+$",
    re.I,
)


def examples(workspace: Workspace) -> tuple[str, ...]:
    """Return example queries: those of the settings, or such as the freshest memes answer, each another."""
    chosen = [one.strip() for one in workspace.settings.examples.split("|") if one.strip()]
    if chosen:
        return tuple(chosen[:3])
    found: dict[str, dict[int, str]] = {kind: {} for kind in KINDS}
    for meme in workspace.catalogue.memes.freshest(LOOKED_AT):
        for kind, example in _of_meme(workspace.catalogue, meme):
            found[kind].setdefault(meme.id, example)
        if all(len(examples_of) >= ENOUGH for examples_of in found.values()):
            break
    taken: dict[str, str] = {}
    used: set[int] = set()
    for kind in sorted(KINDS, key=lambda kind: len(found[kind])):  # the rarest kind chooses first
        for id, example in sorted(found[kind].items(), key=lambda one: one[0] in used)[:1]:
            taken[kind] = example
            used.add(id)
    return tuple(taken[kind] for kind in KINDS if kind in taken)


def _of_meme(catalogue: Catalogue, meme: Meme) -> Iterator[tuple[str, str]]:
    """Yield the kind and the words of each example that a meme's texts give."""
    for text in catalogue.texts.of(meme):
        if text.kind is TextKind.SIMPLE:
            example = _phrase(_PREAMBLE.sub("", _plain(text.body)))
            if example:
                yield "describes", example
        elif text.kind is TextKind.OCR:
            words = _plain(text.body).split()[:4]
            if len(words) >= LEAST and all(word.isalpha() for word in words):
                yield "quotes", '"' + " ".join(words).lower() + '"'
        elif text.kind is TextKind.DETAILED:
            theory = re.search(rf"^#+ (?!{_NO_MEANING})[^\n]*\n+([^\n#]{{30,}})", text.body, re.I | re.M)
            example = _phrase(_plain(theory[1])) if theory else ""
            if example:
                yield "means", example


def _plain(text: str) -> str:
    """Return a text on one line, without the marks of Markdown and of quotation."""
    return " ".join(re.sub(r"[*#_`\"“”]", "", text).split())


def _phrase(text: str) -> str:
    """Return the words that a text begins with, up to a natural end; nothing when they are too few."""
    words: list[str] = []
    for word in text.split()[:MOST]:
        words.append(word)
        if len(words) >= LEAST and word[-1] in ",.;:!?…—":
            break
    return _LOOSE_ENDS.sub("", " ".join(words)).rstrip(",.;:!?…— ").lower() if len(words) >= LEAST else ""
