"""Examine uploads: decode them, read their text, compare them with the library and with other uploads."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.inbox.reception import inbox_path, open_preview
from indexer.media.decode import BACKGROUND, DecodedMedia, DecodeLimits, decode, placeholder
from indexer.media.raster import telling_picture
from indexer.media.thumbnails import is_whole, thumbnail_path
from indexer.ocr.engines import OcrEngine, Reading, read_frames
from indexer.stages.decode import DECODER, decode_content, fingerprints_of
from indexer.stages.train_categories import embedding_row
from search.catalogue import Catalogue, FingerprintRecord, Upload, UploadState
from search.duplicates.candidates import BITS, NEAR_BITS
from search.duplicates.compare_frames import compare_frames
from search.duplicates.comparison import PreparedPicture, prepare
from search.duplicates.match import COMPARED, Match, Matcher
from search.duplicates.wording import read_lines
from search.encoders.base import ImageEncoder
from search.encoders.registry import load_image_encoder
from search.encoders.zero_shot import classify_zero_shot
from search.errors import IndexUnusable, LibraryError, MemeticaError, ModelUnavailable, UnreadableFile
from search.evidence import Evidence
from search.images.fingerprints import PDQ, hamming, pdq, view_bits
from search.index.generations import FINGERPRINTS, read_live
from search.index.reader import open_picture_vectors, verify_files
from search.index.vectors.binary import BinaryIndex
from search.meme import Meme
from search.settings import Settings
from search.workspace import Workspace


@dataclass(frozen=True)
class Examiner:
    """The OCR engine and a matcher over the library, loaded once to examine many uploads."""

    workspace: Workspace
    engine: OcrEngine | None
    no_engine_reason: str  # why no text is read; empty with an engine
    matcher: Matcher
    image_encoder: str  # the encoder of the matcher's image index; empty without one

    @classmethod
    def open(cls, workspace: Workspace, *, engine: OcrEngine | None, no_engine_reason: str = "") -> Self:
        """Return an examiner over the library as it is now."""
        vectors = open_picture_vectors(workspace.index)
        matcher = Matcher.open(
            workspace.catalogue,
            load=lambda meme: _load_frames(workspace.settings, meme),
            image_index=None if vectors is None else vectors.pictures,
            folder=workspace.keypoints,
        )
        return cls(workspace, engine, no_engine_reason, matcher, "" if vectors is None else vectors.encoder)


def examine(examiner: Examiner, upload: Upload) -> None:
    """Examine an upload and store the findings, or the reason why the file cannot be read.

    >>> examiner = Examiner.open(workspace, engine=None, no_engine_reason="No OCR engine is chosen.")
    >>> for upload in workspace.catalogue.uploads.in_state(UploadState.WAITING):
    ...     examine(examiner, upload)
    """
    uploads = examiner.workspace.catalogue.uploads
    try:
        findings, fingerprints = inspect_file(
            examiner,
            inbox_path(examiner.workspace.data, upload.content_hash),
            content_hash=upload.content_hash,
            before=upload.id,
        )
    except UnreadableFile as error:
        uploads.mark_failed(upload.id, reason=error.message, hint=error.hint)
        return
    uploads.mark_examined(upload.id, findings, fingerprints)


def inspect_file(
    examiner: Examiner,
    file: Path,
    *,
    content_hash: str,
    before: int | None = None,
    limits: DecodeLimits = BACKGROUND,
) -> tuple[dict[str, Any], list[FingerprintRecord]]:
    """Return the findings about a file as JSON, and its fingerprints; raise UnreadableFile.

    The keys: `picture` and `reading` as the catalogue stores them; `text`; `embedding`, by the image encoder; `tags`,
    the categories whose names fit the picture, with shares; `alike`, the memes of the library that are like it;
    `beside`, the waiting uploads that are like it and have an id below `before`; `unread` and `uncompared`, the reasons
    if OCR or the comparison failed.

    >>> examiner = Examiner.open(workspace, engine=None, no_engine_reason="No OCR engine is chosen.")
    >>> file = workspace.library / "Dogs/fine.png"
    >>> findings, fingerprints = inspect_file(examiner, file, content_hash="c0ffee")
    >>> findings["picture"]["type"]
    'image'
    """
    settings = examiner.workspace.settings
    decoded = decode(file, max_pixels=settings.max_pixels, max_bytes=settings.upload_bytes, limits=limits)
    fingerprints = fingerprints_of(content_hash, decoded.comparable)
    reading, unread = _read_text(examiner, decoded.pictures)
    text = reading.text if reading else ""
    embedded = embed_frames(settings, decoded.pictures, image_encoder=examiner.image_encoder)
    matches, uncompared = _match_library(
        examiner, decoded.comparable, reading=reading, content_hash=content_hash, embedded=embedded
    )
    uploads = [] if before is None else _match_uploads(examiner, before, decoded.comparable)
    return {
        "picture": _picture_row(decoded),
        "text": text,
        "reading": _reading_row(examiner.engine, reading),
        "unread": unread,
        "embedding": None if embedded is None else embedding_row(examiner.image_encoder, embedded.rows),
        "tags": tag_by_category_names(examiner.workspace.catalogue, embedded),
        "alike": [{"content_hash": match.meme.content_hash, "evidence": match.evidence.to_json()} for match in matches],
        "beside": [{"id": id, "evidence": evidence.to_json()} for id, evidence in uploads],
        "uncompared": uncompared,
    }, fingerprints


def _picture_row(decoded: DecodedMedia) -> dict[str, Any]:
    """Return the catalogue's values of a decoded file, as JSON."""
    return {
        "width": decoded.width,
        "height": decoded.height,
        "frames": decoded.frames,
        "seconds": decoded.seconds,
        "type": decoded.type.value,
        "placeholder": placeholder(telling_picture(decoded.pictures)),
        "content_type": decoded.content_type,
        "codec": decoded.codec,
        "transparent": decoded.transparent,
        "share_decoded": decoded.share_decoded,
        "damage": decoded.damage,
        "decoded_by": DECODER,
    }


@dataclass(frozen=True)
class EmbeddedFrames:
    """An image encoder and its embeddings of a picture's frames: `rows` ([frames, d] float32, unit length)."""

    encoder: ImageEncoder
    rows: NDArray[np.float32]


def embed_frames(settings: Settings, pictures: Sequence[Image.Image], *, image_encoder: str) -> EmbeddedFrames | None:
    """Return the embeddings of a picture's frames; None without an image encoder, or if it cannot be loaded."""
    if not image_encoder:
        return None
    try:
        encoder = load_image_encoder(settings, image_encoder)  # the same that searches are answered with
        return EmbeddedFrames(encoder, encoder.encode_images(pictures))
    except ModelUnavailable:
        return None


def tag_by_category_names(catalogue: Catalogue, embedded: EmbeddedFrames | None) -> list[tuple[str, float]]:
    """Return the categories whose names fit a picture best, each with its share; empty without an image encoder.

    Zero-shot: it uses no examples, so a new category counts as much as an old one.
    """
    if embedded is None:
        return []
    try:
        names = sorted(category for category, _, _ in catalogue.memes.categories())
        found = classify_zero_shot(embedded.encoder, embedded.rows, names)
    except ModelUnavailable:
        return []
    return [(category, round(share, 3)) for category, share in found]


def _reading_row(engine: OcrEngine | None, reading: Reading | None) -> dict[str, Any] | None:
    """Return an OCR reading as the catalogue stores it, as JSON; None without one."""
    if engine is None or reading is None:
        return None
    boxes = [[line.text, round(line.confidence, 3), line.box] for line in reading.lines]
    return {"source": engine.name, "body": reading.text, "quality": reading.quality, "boxes": boxes}


def _read_text(examiner: Examiner, pictures: Sequence[Image.Image]) -> tuple[Reading | None, str]:
    """Return the text of a picture, or None and the reason why it could not be read."""
    if examiner.engine is None:
        return None, examiner.no_engine_reason
    try:
        return read_frames(examiner.engine, pictures), ""
    except MemeticaError as error:
        return None, error.message


def _match_library(
    examiner: Examiner,
    pictures: Sequence[Image.Image],
    *,
    reading: Reading | None,
    content_hash: str,
    embedded: EmbeddedFrames | None,
) -> tuple[list[Match], str]:
    """Return the memes that are like a picture, most certain first, or none and the reason in words.

    Memes added after the examiner was opened are found by fingerprints alone.
    """
    catalogue, settings = examiner.workspace.catalogue, examiner.workspace.settings
    try:
        found = examiner.matcher.match(
            pictures,
            text=reading.text if reading else "",
            lines=read_lines((line.text, line.confidence, line.box) for line in reading.lines) if reading else (),
            content_hash=content_hash,
            embeddings=None if embedded is None else embedded.rows,
        )
        prepared = [prepare(picture) for picture in pictures]
        for meme in _near_by_fingerprint(examiner.workspace, pictures):
            if meme.content_hash != content_hash and meme.content_hash not in examiner.matcher.candidates:
                evidence = compare_frames(prepared, [prepare(frame) for frame in _load_frames(settings, meme)])
                if evidence.tier is not None:
                    found.append(Match(meme, evidence))
    except (OSError, MemeticaError) as error:
        return [], f"It could not be compared with the library: {error}"
    present = [match for match in found if catalogue.memes.with_content(match.meme.content_hash)]
    return sorted(present, key=lambda match: match.evidence.order), ""


def _near_by_fingerprint(workspace: Workspace, pictures: Sequence[Image.Image]) -> list[Meme]:
    """Return the memes of the live index with the nearest fingerprints, upright, mirrored or turned."""
    try:
        folder, manifest = read_live(workspace.index)
        verify_files(folder, manifest, part=FINGERPRINTS, to_search=True)
        index = BinaryIndex.open(folder / FINGERPRINTS)
    except IndexUnusable:
        return []
    nearest: dict[int, int] = {}
    for picture in pictures:
        for bits in view_bits(pdq(picture)[0]):
            for id, distance in zip(*index.within(bits, NEAR_BITS), strict=True):
                nearest[int(id)] = min(int(distance), nearest.get(int(id), BITS))
    ids = sorted(nearest, key=lambda id: (nearest[id], id))[: 4 * COMPARED]
    return workspace.catalogue.memes.many(ids)[: 2 * COMPARED]


def _load_frames(settings: Settings, meme: Meme) -> Sequence[Image.Image]:
    """Return a meme's frames: the thumbnail of a still, which is large enough; others are decoded."""
    path = thumbnail_path(settings.data, meme.content_hash)
    if (meme.frames or 1) == 1 and not meme.transparent and is_whole(path):
        return [_open_rgb(path)]
    try:
        return decode_content(settings, meme).comparable
    except (UnreadableFile, LibraryError):
        if not is_whole(path):
            raise
        return [_open_rgb(path)]


def _open_rgb(path: Path) -> Image.Image:
    with Image.open(io.BytesIO(path.read_bytes())) as picture:
        return picture.convert("RGB")


def _match_uploads(examiner: Examiner, before: int, pictures: Sequence[Image.Image]) -> list[tuple[int, Evidence]]:
    """Return the examined uploads with an id below `before` that are like a picture, by its middle frame."""
    picture = pictures[len(pictures) // 2]
    prepared: PreparedPicture | None = None
    views = view_bits(pdq(picture)[0])
    found = []
    for other in examiner.workspace.catalogue.uploads.in_state(UploadState.EXAMINED):
        if other.id >= before:
            continue
        frames = examiner.workspace.catalogue.pictures.fingerprints_of(other.content_hash, PDQ)
        if not frames:
            continue
        bits = np.frombuffer(frames[len(frames) // 2], np.uint8)
        if hamming(bits, views).min() > NEAR_BITS:
            continue
        prepared = prepared or prepare(picture)
        try:
            preview = prepare(open_preview(examiner.workspace.data, other.content_hash))
        except OSError:
            continue  # decided and removed in the meantime
        evidence = compare_frames([prepared], [preview])
        if evidence.tier is not None:
            found.append((other.id, evidence))
    return sorted(found, key=lambda match: match[1].order)[:COMPARED]
