"""The pictures stage: embed pictures with the chosen image encoder."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from indexer.stages.decode import decode_content, map_in_threads
from indexer.work.leases import WorkLease, work_lease
from indexer.work.part import Part, in_part
from indexer.work.progress import Progress, track_stage
from search.catalogue import Catalogue
from search.encoders.base import ImageEncoder
from search.errors import UnreadableFile
from search.meme import Meme, Stage
from search.settings import Settings
from search.workspace import Workspace

# Pictures are decoded at a whole fraction of their size at which their shorter side is at least this many times the
# encoder's: `benchmarks/image_throughput.py` measures what that does to the rows.
DECODED_SIDES = 2
BATCH = 32  # pictures stored together, and decoded while the model runs on as many others

Prepared = list[NDArray[np.float32]]  # a meme's frames, preprocessed for the model


def embed_images(
    workspace: Workspace, encoder: ImageEncoder, *, progress: Progress, part: Part | None = None
) -> tuple[int, int]:
    """Embed the pictures that this encoder has not embedded, of a part of the library or of all.

    Returns how many memes were embedded and how many failed.

    Other processes may share the work. Files are decoded in other threads while the model runs.
    """
    workspace.catalogue.embeddings.register(encoder.name, dimensions=encoder.dimensions)

    def missing() -> list[Meme]:
        found = workspace.catalogue.embeddings.missing_pictures(encoder.name)
        return [meme for meme in found if in_part(part, meme.content_hash)]

    def is_missing(meme: Meme) -> bool:
        return bool(workspace.catalogue.embeddings.missing_pictures(encoder.name, content_hash=meme.content_hash))

    done = failed = 0
    with (
        track_stage(progress, Stage.PICTURES, len(missing()), unit="pictures"),
        work_lease(workspace.catalogue, Stage.PICTURES) as lease,
    ):
        waiting = lease.until_done(missing, is_missing=is_missing, source=encoder.name)
        batch: list[tuple[Meme, Prepared]] = []
        prepared = map_in_threads(
            lambda meme: prepare(workspace.settings, meme, encoder),
            waiting,
            threads=workspace.settings.threads,
            ahead=2 * BATCH,
        )
        for meme, result in prepared:
            if isinstance(result, UnreadableFile):
                with workspace.catalogue.transaction():
                    workspace.catalogue.failures.record(
                        Stage.PICTURES, meme.path, result, content_hash=meme.content_hash, source=encoder.name
                    )
                    lease.release(meme.content_hash, sources=(encoder.name,))
                failed += 1
                progress.advance(failed=True)
                continue
            batch.append((meme, result))
            if sum(len(frames) for _, frames in batch) >= BATCH:
                done += _embed_batch(workspace.catalogue, encoder, batch, lease=lease)
                progress.advance(len(batch))
                batch = []
        if batch:
            done += _embed_batch(workspace.catalogue, encoder, batch, lease=lease)
            progress.advance(len(batch))
    return done, failed


def embed_images_of(workspace: Workspace, memes: Iterable[Meme], *, encoder: ImageEncoder) -> None:
    """Embed those of a few memes that this encoder has not embedded; skip unreadable ones, for `embed_images`."""
    for meme in memes:
        if len(workspace.catalogue.embeddings.of_picture(encoder.name, meme.content_hash)):
            continue
        try:
            frames = prepare(workspace.settings, meme, encoder)
        except UnreadableFile:
            continue
        _embed_batch(workspace.catalogue, encoder, [(meme, frames)])


def prepare(settings: Settings, meme: Meme, encoder: ImageEncoder) -> Prepared:
    """Return a meme's frames preprocessed for the encoder; raise UnreadableFile, also when the file has changed."""
    decoded = decode_content(settings, meme, least_side=DECODED_SIDES * encoder.side)
    return [encoder.prepare(picture) for picture in decoded.pictures]


def _embed_batch(
    catalogue: Catalogue, encoder: ImageEncoder, batch: list[tuple[Meme, Prepared]], *, lease: WorkLease | None = None
) -> int:
    """Embed a batch of memes and store the rows; return the number of memes."""
    vectors = encoder.encode_prepared([frame for _, frames in batch for frame in frames])
    first = 0
    with catalogue.transaction():
        for meme, frames in batch:
            catalogue.embeddings.put_picture(encoder.name, meme.content_hash, vectors[first : first + len(frames)])
            first += len(frames)
            if lease is not None:
                lease.release(meme.content_hash, sources=(encoder.name,))
    return len(batch)
