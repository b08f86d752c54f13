"""The fifth stage: every passage cut from the texts as they are now, and embedded once."""

from __future__ import annotations

from indexer.work.leases import WorkLease, reclaim_stale, work_lease
from indexer.work.progress import Progress, track_stage
from search.catalogue import Catalogue
from search.encoders.base import TextEncoder
from search.meme import Stage
from search.texts.chunking import SPLITTER, split_passages

# A batch is what a killed run loses; large enough that sorting by length pays inside it.
BATCH = 512


def split_texts(catalogue: Catalogue) -> int:
    """Cut the passages of memes whose texts have changed; return of how many memes."""
    done = 0
    while True:
        with catalogue.transaction():  # in which nobody else cuts the same
            waiting = catalogue.texts.unsplit(SPLITTER, limit=BATCH)
            for meme in waiting:
                passages = split_passages(meme.path, category=meme.category, texts=catalogue.texts.of(meme))
                catalogue.texts.put_passages(meme.id, passages, splitter=SPLITTER)
        if not waiting:
            return done
        done += len(waiting)


def embed_passages(catalogue: Catalogue, encoder: TextEncoder, *, progress: Progress) -> int:
    """Embed the passages that this encoder has not read and nobody else is reading; return how many."""
    catalogue.embeddings.register(encoder.name, dimensions=encoder.dimensions)
    # Near in length, so that a batch is padded little.
    waiting = sorted(catalogue.embeddings.missing_passages(encoder.name), key=lambda one: len(one[1]))
    done = 0
    with track_stage(progress, Stage.EMBED, len(waiting), unit="passages"), work_lease(catalogue, Stage.EMBED) as lease:
        while waiting:
            before = done
            for start in range(0, len(waiting), BATCH):
                batch = _taken(catalogue, lease, encoder, waiting[start : start + BATCH])
                if not batch:
                    continue
                vectors = encoder.encode([body for _, body in batch])
                with catalogue.transaction():
                    catalogue.embeddings.put(encoder.name, [input for input, _ in batch], vectors)
                    for input, _ in batch:
                        lease.release(input, sources=(encoder.name,))
                done += len(batch)
                progress.advance(len(batch))
            if done == before:
                break  # the rest is in the hands of others
            reclaim_stale(catalogue)
            waiting = sorted(catalogue.embeddings.missing_passages(encoder.name), key=lambda one: len(one[1]))
    return done


def _taken(
    catalogue: Catalogue, lease: WorkLease, encoder: TextEncoder, batch: list[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Return the passages of a batch that are this shift's to embed now."""
    with catalogue.transaction():
        taken = [one for one in batch if lease.acquire(one[0], sources=(encoder.name,))]
        # Whoever had one a moment ago may have embedded it.
        known = catalogue.embeddings.get(encoder.name, [input for input, _ in taken])
        for input in known:
            lease.release(input, sources=(encoder.name,))
    return [one for one in taken if one[0] not in known]
