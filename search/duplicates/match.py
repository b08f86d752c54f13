"""Match a new picture against the library before it is accepted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from PIL import Image

from search.catalogue import Catalogue
from search.duplicates.candidates import Candidates, Rows, longest_text, open_candidates, signature_of
from search.duplicates.compare_frames import compare_frames
from search.duplicates.comparison import prepare
from search.duplicates.wording import ReadLine, read_lines
from search.evidence import Evidence, Tier
from search.index.vectors.dense import DenseIndex
from search.meme import Meme

COMPARED = 8  # candidates that are compared, the most likely first

Load = Callable[[Meme], Sequence[Image.Image]]  # a meme's frames; a thumbnail of 480 pixels is enough


@dataclass(frozen=True)
class Match:
    """A meme of the library that is like the new picture, and the evidence with the new picture first."""

    meme: Meme
    evidence: Evidence


@dataclass(frozen=True)
class Matcher:
    """What the library's memes are found by, and the library's memes and texts, which are looked up one by one."""

    candidates: Candidates
    meme_of: Callable[[str], Meme | None]  # the present meme with a content hash
    text_of: Callable[[Meme], str]  # that OCR read, empty for none
    lines: Callable[[Meme], tuple[ReadLine, ...]]  # that OCR read on a still
    load: Load

    @classmethod
    def open(
        cls, catalogue: Catalogue, *, load: Load, image_index: DenseIndex | None = None, folder: Path | None = None
    ) -> Self:
        """Return a matcher over the memes that the catalogue has decoded.

        `load` returns the frames of a meme, a transparent still as RGBA. `image_index` holds an image encoder's
        embeddings of the memes; with it, pictures with similar embeddings become candidates too. `folder` keeps the
        index of keypoints in files, which is opened in seconds and takes hardly any memory.
        """
        candidates = open_candidates(catalogue, image_index=image_index, folder=folder)

        def meme_of(content_hash: str) -> Meme | None:
            return min(catalogue.memes.with_content(content_hash), key=lambda meme: meme.id, default=None)

        def text_of(meme: Meme) -> str:
            return longest_text(catalogue, meme.content_hash)

        def lines(meme: Meme) -> tuple[ReadLine, ...]:
            return read_lines(catalogue.texts.boxes_of(meme))

        return cls(candidates, meme_of, text_of, lines, load)

    def match(
        self,
        images: Sequence[Image.Image],
        *,
        text: str = "",
        lines: tuple[ReadLine, ...] = (),
        content_hash: str = "",
        embeddings: Rows | None = None,
    ) -> list[Match]:
        """Return the memes that are like the picture with these frames: most certain tier first, then by score.

        `text` is its OCR text, `lines` are the lines of a still. A meme with the same `content_hash` is a match without
        a comparison.
        `embeddings` ([frames, d] float32, unit length) come from the encoder of `image_index`. Errors of `load`
        (OSError, MemeticaError) are passed on.

        >>> Matcher.open(workspace.catalogue, load=lambda meme: []).match([Image.new("RGB", (64, 64))])
        []
        """
        found = []
        if content_hash and (same := self.meme_of(content_hash)) is not None:
            found.append(Match(same, Evidence(Tier.IDENTICAL)))
        prepared = [prepare(image, lines=lines if len(images) == 1 else ()) for image in images]
        for place in self.candidates.find(signature_of(images, text=text, embeddings=embeddings))[:COMPARED]:
            content = self.candidates.hashes[place]
            if content == content_hash or (meme := self.meme_of(content)) is None:
                continue
            frames = self.load(meme)
            said = self.lines(meme) if len(frames) == 1 else ()
            others = [prepare(image, lines=said) for image in frames]
            evidence = compare_frames(prepared, others, text_a=text or None, text_b=self.text_of(meme) or None)
            if evidence.tier is not None:
                found.append(Match(meme, evidence))
        return sorted(found, key=lambda match: match.evidence.order)
