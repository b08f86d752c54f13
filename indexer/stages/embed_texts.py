"""The embed stage: split the current texts into passages and embed each passage once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from indexer.work.leases import WorkLease, reclaim_stale, work_lease
from indexer.work.part import Part, in_part
from indexer.work.progress import Progress, track_stage
from search.catalogue import Catalogue
from search.encoders.base import TextEncoder
from search.encoders.coverage import readable_rows
from search.meme import Stage
from search.texts.chunking import SPLITTER, split_passages

# A killed run loses one batch. Sorting by length needs a batch of this size to save time.
BATCH = 512


def split_texts(catalogue: Catalogue, *, part: Part | None = None) -> int:
    """Split the texts of the memes whose texts have changed, in a part of the library or all; return how many memes.

    >>> split_texts(workspace.catalogue)
    0
    """
    done = after = 0
    while True:
        with catalogue.transaction():  # so that no other process splits the same memes
            waiting = catalogue.texts.unsplit(SPLITTER, limit=BATCH, after=after)
            own = [meme for meme in waiting if in_part(part, meme.content_hash)]
            for meme in own:
                passages = split_passages(meme.path, category=meme.category, texts=catalogue.texts.of(meme))
                catalogue.texts.put_passages(meme.id, passages, splitter=SPLITTER)
        if not waiting:
            return done
        done += len(own)
        after = waiting[-1].id


def embed_passages(catalogue: Catalogue, encoder: TextEncoder, *, progress: Progress) -> int:
    """Embed the passages that this encoder has not embedded and no other process is embedding; return how many.

    >>> from indexer.work.progress import SILENT
    >>> embed_passages(workspace.catalogue, encoder, progress=SILENT)
    0
    """
    catalogue.embeddings.register(encoder.name, dimensions=encoder.dimensions)
    total = catalogue.embeddings.count_missing_passages(encoder.name)
    done = 0
    with track_stage(progress, Stage.EMBED, total, unit="passages"), work_lease(catalogue, Stage.EMBED) as lease:
        while True:
            before = done
            for page in catalogue.embeddings.missing_passages(encoder.name):
                # Sorted by length, so that batches need little padding.
                waiting = sorted(page, key=lambda passage: len(passage[1]))
                for start in range(0, len(waiting), BATCH):
                    batch = _taken(catalogue, lease, encoder, waiting[start : start + BATCH])
                    if not batch:
                        continue
                    places, vectors = readable_rows(encoder, [body for _, body in batch])
                    with catalogue.transaction():
                        put_readable(catalogue, encoder.name, [input for input, _ in batch], places, vectors)
                        for input, _ in batch:
                            lease.release(input, sources=(encoder.name,))
                    done += len(batch)
                    progress.advance(len(batch))
            if done == before:
                return done  # nothing is missing, or other processes hold the leases of the rest
            reclaim_stale(catalogue)


def put_readable(
    catalogue: Catalogue, encoder: str, inputs: Sequence[str], places: NDArray[np.int64], vectors: NDArray[np.float32]
) -> None:
    """Store the embeddings ([m, d]) of the inputs at some places ([m]); the encoder cannot read the others."""
    catalogue.embeddings.put(encoder, [inputs[at] for at in places], vectors)
    readable = set(places.tolist())
    catalogue.embeddings.put_unread(encoder, [input for at, input in enumerate(inputs) if at not in readable])


def _taken(
    catalogue: Catalogue, lease: WorkLease, encoder: TextEncoder, batch: list[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Acquire leases for a batch of passages; return the acquired ones that are still to be embedded."""
    with catalogue.transaction():
        taken = [passage for passage in batch if lease.acquire(passage[0], sources=(encoder.name,))]
        # The previous holder of a lease may have embedded the passage.
        known = catalogue.embeddings.get(encoder.name, [input for input, _ in taken])
        for input in known:
            lease.release(input, sources=(encoder.name,))
    return [passage for passage in taken if passage[0] not in known]
