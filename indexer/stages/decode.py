"""The media stage: decode each file once, for its size, thumbnail and fingerprints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from PIL import Image

from indexer.library.format import is_empty, meme_hash
from indexer.library.links import checked_file
from indexer.media import decode as media
from indexer.media.decode import picture_webp, placeholder, thumbnail
from indexer.media.raster import telling_frames, telling_picture
from indexer.media.thumbnails import is_whole, still_path, thumbnail_path, thumbnails_present
from indexer.work.leases import work_lease
from indexer.work.part import Part, in_part
from indexer.work.progress import Progress, track_stage
from search.catalogue import FingerprintRecord, PictureRecord
from search.duplicates.candidates import (
    GROUND_PDQ,
    KEYPOINTS,
    MIRRORED_KEYPOINTS,
    TRIMMED_PDQ,
    ground_fingerprints,
    keypoint_blobs,
    trimmed_fingerprints,
)
from search.duplicates.picture import disable_opencv_threads
from search.errors import DecodingFailed, LibraryError, MemeticaError, UnreadableFile
from search.images.fingerprints import LOOK, PDQ, look, pdq
from search.meme import Meme, Stage, plays_in_browsers
from search.settings import Settings
from search.system.atomic_write import write_atomically
from search.workspace import Workspace

STILL_SIDE = 1280  # pixels of the pictures that a page shows instead of a file that browsers do not show
# A new name decodes every file again.
DECODER = f"media-6 {PDQ} {LOOK} {KEYPOINTS} {MIRRORED_KEYPOINTS} {TRIMMED_PDQ} {GROUND_PDQ}"

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class DecodedMeme:
    """The results of decoding one file, ready to be stored."""

    picture: PictureRecord
    fingerprints: list[FingerprintRecord]
    thumbnail: bytes
    stills: tuple[bytes, ...] = ()  # WebP, for a file that not all browsers show


def decode_memes(workspace: Workspace, *, progress: Progress, part: Part | None = None) -> tuple[int, int]:
    """Decode the memes that are not decoded yet, of a part of the library or of all.

    Returns how many were decoded and how many failed.

    >>> from indexer.work.progress import SILENT
    >>> decode_memes(workspace, progress=SILENT)
    (0, 0)
    """
    disable_opencv_threads()
    done = failed = 0

    def missing() -> list[Meme]:
        return [meme for meme in missing_pictures(workspace) if in_part(part, meme.content_hash)]

    with (
        track_stage(progress, Stage.MEDIA, len(missing()), unit="pictures"),
        work_lease(workspace.catalogue, Stage.MEDIA) as lease,
    ):
        waiting = lease.until_done(missing, is_missing=lambda meme: _is_missing(workspace, meme))
        for meme, result in map_in_threads(
            lambda meme: _decoded_or_mistake(workspace.settings, meme), waiting, threads=workspace.settings.threads
        ):
            if isinstance(result, MemeticaError):
                with workspace.catalogue.transaction():
                    workspace.catalogue.failures.record(Stage.MEDIA, meme.path, result, content_hash=meme.content_hash)
                    lease.release(meme.content_hash)
                failed += 1
                progress.advance(failed=True)
                continue
            for number, still in enumerate(result.stills):
                write_atomically(still_path(workspace.data, meme.content_hash, number), still, durable=False)
            write_atomically(thumbnail_path(workspace.data, meme.content_hash), result.thumbnail, durable=False)
            with workspace.catalogue.transaction():
                workspace.catalogue.pictures.put(result.picture, result.fingerprints)
                lease.release(meme.content_hash)
            done += 1
            progress.advance()
    return done, failed


def _decoded_or_mistake(settings: Settings, meme: Meme) -> DecodedMeme | DecodingFailed:
    """Return a decoded meme, or the mistake of our own code: the other files go on."""
    try:
        return decode_meme(settings, meme)
    except DecodingFailed as error:
        return error


def _is_missing(workspace: Workspace, meme: Meme) -> bool:
    """Return whether a content is still to be decoded."""
    if workspace.catalogue.pictures.missing(DECODER, content_hash=meme.content_hash):
        return True
    return meme.has_thumbnail and _lacks_pictures(workspace, meme)


def _lacks_pictures(workspace: Workspace, meme: Meme) -> bool:
    """Return whether the thumbnail of a decoded content is missing or cut short, or the first of its stills."""
    if not is_whole(thumbnail_path(workspace.data, meme.content_hash)):
        return True
    return not meme.plays_in_browsers and not is_whole(still_path(workspace.data, meme.content_hash, 0))


def missing_pictures(workspace: Workspace) -> list[Meme]:
    """Return one meme for each content without a result of this decoder, or without a whole thumbnail."""
    waiting = workspace.catalogue.pictures.missing(DECODER)
    present = thumbnails_present(workspace.data)
    listed = {meme.content_hash for meme in waiting}
    for meme in workspace.catalogue.memes.each():
        if not meme.has_thumbnail or meme.content_hash in listed:
            continue
        stills = meme.plays_in_browsers or f"{meme.content_hash}.0" in present
        if meme.content_hash not in present or not stills:
            waiting.append(meme)
            listed.add(meme.content_hash)
    return waiting


def decode_content(settings: Settings, meme: Meme, *, least_side: int | None = None) -> media.DecodedMedia:
    """Return a meme's file decoded; raise UnreadableFile, also when the file has changed since the scan.

    With `least_side`, its pictures may be smaller, their shorter side not below that.

    Raises LibraryError when the whole library is missing or empty: its disk may have been unmounted, and then no file
    has failed.
    """
    try:
        file = checked_file(settings.library, meme.path, follow_links=settings.follow_links)
        decoded = media.decode(
            file, max_pixels=settings.max_pixels, max_bytes=settings.max_bytes, least_side=least_side
        )
        content = meme_hash(settings.library, meme.path, follow_links=settings.follow_links)
    except UnreadableFile:
        if is_empty(settings.library):
            raise LibraryError(f"{settings.library} is empty.", hint="Check that its disk is mounted.") from None
        raise
    if content != meme.content_hash:
        raise UnreadableFile("The file has changed since it was scanned.", hint="Run `memetica index` again.")
    return decoded


def decode_meme(settings: Settings, meme: Meme) -> DecodedMeme:
    """Return a meme's picture record, fingerprints and thumbnail; raise UnreadableFile."""
    decoded = decode_content(settings, meme)
    telling = telling_picture(decoded.pictures)
    record = PictureRecord(
        content_hash=meme.content_hash,
        width=decoded.width,
        height=decoded.height,
        frames=decoded.frames,
        seconds=decoded.seconds,
        type=decoded.type,
        placeholder=placeholder(telling),
        decoded_by=DECODER,
        content_type=decoded.content_type,
        codec=decoded.codec,
        transparent=decoded.transparent,
        share_decoded=decoded.share_decoded,
        damage=decoded.damage,
    )
    fingerprints = fingerprints_of(meme.content_hash, decoded.comparable)
    stills: tuple[bytes, ...] = ()
    if not plays_in_browsers(decoded.type, decoded.content_type, decoded.codec):
        stills = tuple(picture_webp(picture, STILL_SIDE) for picture in telling_frames(decoded.pictures))
    return DecodedMeme(record, fingerprints, thumbnail(telling, settings.thumbnail_side), stills)


def fingerprints_of(content_hash: str, pictures: Sequence[Image.Image]) -> list[FingerprintRecord]:
    """Return all fingerprints of a content, of each of its frames, of a transparent one also over another ground."""
    found = []
    for frame, picture in enumerate(pictures):
        bits, quality = pdq(picture)
        found.append(FingerprintRecord(content_hash, PDQ, frame, bits.tobytes(), quality))
        found.append(FingerprintRecord(content_hash, LOOK, frame, look(picture).astype("<f2").tobytes(), 1.0))
    seen_by = (*keypoint_blobs(pictures), trimmed_fingerprints(pictures), ground_fingerprints(pictures))
    for algorithm, blobs in zip((KEYPOINTS, MIRRORED_KEYPOINTS, TRIMMED_PDQ, GROUND_PDQ), seen_by, strict=True):
        found += [FingerprintRecord(content_hash, algorithm, frame, blob, 1.0) for frame, blob in enumerate(blobs)]
    return found


def map_in_threads(
    work: Callable[[Item], Result], items: Iterable[Item], *, threads: int, ahead: int = 0
) -> Iterator[tuple[Item, Result | UnreadableFile]]:
    """Yield each item with the result of `work`, or with the UnreadableFile that it raised, in the order of the items.

    Only a few items are in progress at a time, so that an interrupted run loses little and memory stays constant;
    `ahead` increases their number for a caller that takes many at once.

    >>> list(map_in_threads(len, ["a", "bcd"], threads=2))
    [('a', 1), ('bcd', 3)]
    """
    remaining = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        pending: list[tuple[Item, Future[Result]]] = []
        try:
            while True:
                for item in islice(remaining, max(2 * threads, ahead) - len(pending)):
                    pending.append((item, pool.submit(work, item)))
                if not pending:
                    return
                item, future = pending.pop(0)
                try:
                    yield item, future.result()
                except UnreadableFile as error:
                    yield item, error
        finally:
            for _, future in pending:
                future.cancel()
