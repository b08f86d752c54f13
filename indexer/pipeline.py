"""The stages in order. What is missing is a query, so a run may be interrupted anywhere and goes on where it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import monotonic

from indexer.curation.merge import recover_merges
from indexer.curation.move import recover_refilings
from indexer.inbox.accept import recover_uploads
from indexer.library.format import library_root
from indexer.library.scan import scan_library
from indexer.ocr.engines import OcrEngine, load_ocr
from indexer.stages.build_index import build_index, image_encoder_of
from indexer.stages.decode import decode_pictures
from indexer.stages.embed_images import embed_pictures
from indexer.stages.embed_texts import embed_passages, split_texts
from indexer.stages.ocr import read_memes
from indexer.stages.prepare_encoders import made_image_encoder, made_text_encoder
from indexer.stages.weigh_texts import weigh_texts
from indexer.work.leases import only_one
from indexer.work.progress import Progress, StageReport, stage_of
from search.catalogue import Catalogue
from search.encoders.base import ImageEncoder, TextEncoder
from search.errors import ModelUnavailable
from search.meme import Stage
from search.settings import Settings, keep_setting, kept_setting


def index_library(
    settings: Settings,
    catalogue: Catalogue,
    *,
    progress: Progress,
    reocr: bool = False,
    badly_read: bool = False,
    load_engine: Callable[[Settings], OcrEngine | None] = load_ocr,
    load_encoder: Callable[[Settings], TextEncoder] = made_text_encoder,
    load_images: Callable[[Settings], ImageEncoder | None] = made_image_encoder,
    finished: Callable[[StageReport], None] = lambda report: None,
) -> list[StageReport]:
    """Bring catalogue and index up to date with the library; return what each stage did, telling `finished` as it goes.

    Several processes may do so at a time: they scan one after the other, and share what there is to decode, to read
    and to embed. Raises LibraryError when the library's folder is gone, DataFolderError when the data folder cannot be
    written. A missing OCR engine or image encoder costs its stage, not the run. The data folder keeps which library it
    is of, so that no other command need be told.
    """
    reports: list[StageReport] = []

    def report(stage: Stage, work: Callable[[], tuple[int, int]]) -> None:
        begun = monotonic()
        note = ""
        try:
            done, failed = work()
        except ModelUnavailable as error:
            catalogue.failures.record(stage, "the model", error)
            done, failed, note = 0, 1, error.message
        else:
            catalogue.failures.forget(stage, subject="the model")
        reports.append(StageReport(stage, done, failed, monotonic() - begun, note))
        finished(reports[-1])

    def read() -> tuple[int, int]:
        engine = load_engine(settings)
        return (
            (0, 0)
            if engine is None
            else read_memes(settings, catalogue, engine, progress=progress, again=reocr, badly_read=badly_read)
        )

    def embed() -> tuple[int, int]:
        split_texts(catalogue)
        with stage_of(progress, Stage.EMBED, 1, unit="text encoder, made once"):
            encoder = load_encoder(settings)
        done = embed_passages(catalogue, encoder, progress=progress)
        weigh_texts(catalogue, encoder=encoder.name)
        return done, 0

    seen_by = image_encoder_of(settings.data / "index") if settings.image_encoder else ""

    def see() -> tuple[int, int]:
        nonlocal seen_by
        if not settings.image_encoder:
            return 0, 0
        with stage_of(progress, Stage.PICTURES, 1, unit="image encoder, made ready once"):
            encoder = load_images(settings)
        if encoder is None:
            return 0, 0
        seen_by = encoder.name
        return embed_pictures(settings, catalogue, encoder, progress=progress)

    def build() -> tuple[int, int]:
        build_index(settings, catalogue, text_encoder=settings.text_encoder, image_encoder=seen_by, progress=progress)
        return catalogue.memes.count(), 0

    settings = replace(settings, library=library_root(settings.library))
    _remember_library(settings)
    recover_merges(settings, catalogue)
    recover_uploads(settings, catalogue)
    recover_refilings(settings, catalogue)
    # Of two scans at a time the one that saw less would take what the other saw for vanished.
    with only_one(settings, "scanning"):
        report(Stage.SCAN, lambda: scan_library(settings.library, catalogue, progress=progress))
    report(Stage.MEDIA, lambda: decode_pictures(settings, catalogue, progress=progress))
    report(Stage.OCR, read)
    report(Stage.EMBED, embed)
    report(Stage.PICTURES, see)
    report(Stage.BUILD, build)
    return reports


def _remember_library(settings: Settings) -> None:
    kept = kept_setting(settings.data, "library")
    if kept is None or kept.expanduser().absolute() != settings.library:
        keep_setting(settings.data, "library", str(settings.library))
