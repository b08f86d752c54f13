"""The fifth stage: every passage cut from the texts as they are now, and embedded once."""

from __future__ import annotations

from search.passages import SPLITTER, split

from indexer.progress import Progress, stage_of
from search.catalogue import Catalogue
from search.encoders import TextEncoder
from search.meme import Stage

# A batch is what a killed run loses; large enough that sorting by length pays inside it.
BATCH = 512


def split_texts(catalogue: Catalogue) -> int:
    """Cut the passages of memes whose texts have changed; return of how many memes."""
    waiting = catalogue.texts.unsplit(SPLITTER)
    for start in range(0, len(waiting), BATCH):
        with catalogue.transaction():
            for meme in waiting[start : start + BATCH]:
                passages = split(meme.path, category=meme.category, texts=catalogue.texts.of(meme))
                catalogue.texts.put_passages(meme.id, passages, splitter=SPLITTER)
    return len(waiting)


def embed_passages(catalogue: Catalogue, encoder: TextEncoder, *, progress: Progress) -> int:
    """Embed the passages that this encoder has not read; return how many."""
    catalogue.vectors.register(encoder.name, dimensions=encoder.dimensions)
    # Near in length, so that a batch is padded little.
    waiting = sorted(catalogue.vectors.missing_passages(encoder.name), key=lambda one: len(one[1]))
    with stage_of(progress, Stage.EMBED, len(waiting), unit="passages"):
        for start in range(0, len(waiting), BATCH):
            batch = waiting[start : start + BATCH]
            vectors = encoder.encode([body for _, body in batch])
            catalogue.vectors.put(encoder.name, [input for input, _ in batch], vectors)
            progress.advance(len(batch))
    return len(waiting)
