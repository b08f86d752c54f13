"""What an upload is: decoded, read, and compared with the library and with what waits beside it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.inbox.receive import inbox_path, open_preview
from indexer.media.decode import Decoded, decode, placeholder
from indexer.media.thumbnails import thumbnail_path
from indexer.ocr.engines import OcrEngine, Reading, read_frames
from indexer.stages.decode import DECODER, decode_content, fingerprints_of
from search.catalogue import Catalogue, FingerprintRecord, Upload, UploadState
from search.duplicates.candidates import BITS, NEAR_BITS
from search.duplicates.compare import Seen, seen
from search.duplicates.compare_frames import compare_contents
from search.duplicates.match import COMPARED, Matcher, match_upload, open_matcher
from search.encoders.base import ImageEncoder
from search.encoders.registry import load_image_encoder
from search.encoders.zero_shot import classify_zero_shot
from search.errors import IndexUnusable, MemeticaError, ModelUnavailable, UnreadableFile
from search.evidence import Evidence, Tier
from search.images.fingerprints import PDQ, pdq, pdq_mirrored
from search.index.binary import BinaryIndex
from search.index.generations import FINGERPRINTS, live_folder
from search.index.reader import open_picture_vectors
from search.meme import Meme
from search.settings import Settings
from search.workspace import Workspace

_SURENESS = {tier: place for place, tier in enumerate(Tier)}
Bits = NDArray[np.uint8]


@dataclass(frozen=True)
class Examiner:
    """What examining needs, made ready once: the reader of words, and the library as it was when it was opened."""

    workspace: Workspace
    engine: OcrEngine | None
    unread: str  # why nothing reads words here; empty where something does
    matcher: Matcher
    seen_by: str  # the image encoder that the matcher's library was seen by; empty without one


def open_examiner(workspace: Workspace, *, engine: OcrEngine | None, unread: str = "") -> Examiner:
    """Return an examiner over the library as it is now."""
    sight = open_picture_vectors(workspace.index)
    matcher = open_matcher(workspace.catalogue, seen=None if sight is None else sight.pictures)
    return Examiner(workspace, engine, unread, matcher, "" if sight is None else sight.encoder)


def examine(examiner: Examiner, upload: Upload) -> None:
    """Find out what an upload is and keep it, or keep why that could not be done."""
    catalogue = examiner.workspace.catalogue
    try:
        findings, fingerprints = find_out(
            examiner,
            inbox_path(examiner.workspace.settings.data, upload.content_hash),
            content_hash=upload.content_hash,
            before=upload.id,
        )
    except UnreadableFile as error:
        catalogue.uploads.failed(upload.id, reason=error.message, hint=error.hint)
        return
    catalogue.uploads.examined(upload.id, findings, fingerprints)


def find_out(
    examiner: Examiner, file: Path, *, content_hash: str, before: int | None = None
) -> tuple[dict[str, Any], list[FingerprintRecord]]:
    """Return what a file is, as JSON has it, and its fingerprints; raise UnreadableFile.

    `picture` and `reading` are as the catalogue keeps them, `tags` the categories whose names it fits by sight, `alike`
    the memes of the library that it is like and `beside` the uploads that it is like and that came before the one of
    this number.
    """
    settings = examiner.workspace.settings
    decoded = decode(file, max_pixels=settings.max_pixels, max_bytes=settings.upload_bytes)
    fingerprints = fingerprints_of(content_hash, decoded.pictures)
    reading, unread = read(examiner, decoded.pictures)
    text = reading.text if reading else ""
    frames = see_frames(settings, decoded.pictures, seen_by=examiner.seen_by)
    likes, uncompared = likes_of(examiner, decoded.pictures, text=text, content_hash=content_hash, frames=frames)
    beside = [] if before is None else _likes_beside(examiner, before, decoded.pictures)
    return {
        "picture": picture_of(decoded),
        "text": text,
        "reading": reading_of(examiner.engine, reading),
        "unread": unread,
        "tags": tags_by_sight(examiner.workspace.catalogue, frames),
        "alike": [{"content_hash": meme.content_hash, "evidence": found.to_json()} for meme, found in likes],
        "beside": [{"id": id, "evidence": found.to_json()} for id, found in beside],
        "uncompared": uncompared,
    }, fingerprints


def picture_of(decoded: Decoded) -> dict[str, Any]:
    """Return what the catalogue keeps of a decoded file, as JSON has it."""
    return {
        "width": decoded.width,
        "height": decoded.height,
        "frames": decoded.frames,
        "seconds": decoded.seconds,
        "type": decoded.type.value,
        "placeholder": placeholder(decoded.pictures[0]),
        "decoded_by": DECODER,
    }


@dataclass(frozen=True)
class SeenFrames:
    """What an image encoder made of a picture's frames: `rows` ([frames, d] float32) of length 1."""

    encoder: ImageEncoder
    rows: NDArray[np.float32]


def see_frames(settings: Settings, pictures: Sequence[Image.Image], *, seen_by: str) -> SeenFrames | None:
    """Return what an image encoder sees in a picture's frames; None where none is named, or it is not to be had."""
    if not seen_by:
        return None
    try:
        encoder = load_image_encoder(settings, seen_by, long_running=True)
        return SeenFrames(encoder, encoder.encode_images(pictures))
    except ModelUnavailable:
        return None


def tags_by_sight(catalogue: Catalogue, frames: SeenFrames | None) -> list[tuple[str, float]]:
    """Return the categories whose names a picture fits best, each with its share; none without an image encoder.

    It knows no example: a new category counts as much as an old one.
    """
    if frames is None:
        return []
    try:
        names = sorted(category for category, _, _ in catalogue.memes.categories())
        found = classify_zero_shot(frames.encoder, frames.rows, names)
    except ModelUnavailable:
        return []
    return [(category, round(share, 3)) for category, share in found]


def reading_of(engine: OcrEngine | None, reading: Reading | None) -> dict[str, Any] | None:
    """Return what an engine read as the catalogue keeps it, as JSON has it; None where nothing read."""
    if engine is None or reading is None:
        return None
    boxes = [[line.text, round(line.confidence, 3), line.box] for line in reading.lines]
    return {"source": engine.name, "body": reading.text, "quality": reading.quality, "boxes": boxes}


def read(examiner: Examiner, pictures: Sequence[Image.Image]) -> tuple[Reading | None, str]:
    """Return what stands in a picture, or None and why it could not be read."""
    if examiner.engine is None:
        return None, examiner.unread
    try:
        return read_frames(examiner.engine, pictures), ""
    except MemeticaError as error:
        return None, error.message


def likes_of(
    examiner: Examiner,
    pictures: Sequence[Image.Image],
    *,
    text: str,
    content_hash: str,
    frames: SeenFrames | None = None,
) -> tuple[list[tuple[Meme, Evidence]], str]:
    """Return the memes that are like a picture, the surest first, and what could not be compared, in words.

    Memes that came since the examiner was opened are found by their fingerprints alone.
    """
    catalogue = examiner.workspace.catalogue
    try:
        found = [
            (match.meme, match.evidence)
            for match in match_upload(
                examiner.matcher,
                pictures,
                load=_load(examiner),
                text=text,
                content_hash=content_hash,
                sight=None if frames is None else frames.rows,
            )
        ]
        known = set(examiner.matcher.candidates.hashes)
        asked = [seen(picture) for picture in pictures]
        for meme in _near(examiner, pictures):
            if meme.content_hash in known or meme.content_hash == content_hash:
                continue
            evidence = compare_contents(asked, [seen(picture) for picture in _load(examiner)(meme)])
            if evidence.tier is not None:
                found.append((meme, evidence))
    except (OSError, MemeticaError) as error:
        return [], f"It could not be compared with the library: {error}"
    present = [(meme, evidence) for meme, evidence in found if catalogue.memes.with_content(meme.content_hash)]
    return sorted(present, key=_order), ""


def _order(found: tuple[Any, Evidence]) -> tuple[int, float]:
    return _SURENESS[found[1].tier or Tier.SAME_WORDS], -found[1].score


def _near(examiner: Examiner, pictures: Sequence[Image.Image]) -> list[Meme]:
    """Return the memes of the live index with the nearest fingerprints, upright or mirrored."""
    try:
        index = BinaryIndex.open(live_folder(examiner.workspace.settings.data / "index") / FINGERPRINTS)
    except IndexUnusable:
        return []
    nearest: dict[int, int] = {}
    for picture in pictures:
        for bits in (pdq(picture)[0], pdq_mirrored(picture)):
            for id, distance in zip(*index.within(bits, NEAR_BITS), strict=True):
                nearest[int(id)] = min(int(distance), nearest.get(int(id), BITS))
    ids = sorted(nearest, key=lambda id: (nearest[id], id))[: 4 * COMPARED]
    return examiner.workspace.catalogue.memes.many(ids)[: 2 * COMPARED]


def _load(examiner: Examiner):  # type: ignore[no-untyped-def]
    """Return what gives a meme's pictures: a still's thumbnail is enough, what moves is decoded."""
    settings = examiner.workspace.settings

    def load(meme: Meme) -> Sequence[Image.Image]:
        path = thumbnail_path(settings.data, meme.content_hash)
        if (meme.frames or 1) == 1 and path.is_file():
            return [_opened(path)]
        try:
            return decode_content(settings, meme).pictures
        except UnreadableFile:
            if not path.is_file():
                raise
            return [_opened(path)]

    return load


def _opened(path: Path) -> Image.Image:
    with Image.open(io.BytesIO(path.read_bytes())) as picture:
        return picture.convert("RGB")


def _likes_beside(examiner: Examiner, before: int, pictures: Sequence[Image.Image]) -> list[tuple[int, Evidence]]:
    """Return the uploads that wait, that came before one of a number and that are like it, by its middle frame."""
    picture = pictures[len(pictures) // 2]
    own: Seen | None = None
    both = (pdq(picture)[0], pdq_mirrored(picture))
    found = []
    for other in examiner.workspace.catalogue.uploads.in_state(UploadState.EXAMINED):
        if other.id >= before:
            continue
        frames = examiner.workspace.catalogue.pictures.fingerprints_of(other.content_hash, PDQ)
        if not frames:
            continue
        bits = np.frombuffer(frames[len(frames) // 2], np.uint8)
        if min(int(np.bitwise_count(bits ^ one).sum()) for one in both) > NEAR_BITS:
            continue
        own = own or seen(picture)
        try:
            evidence = compare_contents(
                [own], [seen(open_preview(examiner.workspace.settings.data, other.content_hash))]
            )
        except OSError:
            continue  # decided on meanwhile
        if evidence.tier is not None:
            found.append((other.id, evidence))
    return sorted(found, key=_order)[:COMPARED]
