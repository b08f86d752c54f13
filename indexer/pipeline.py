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
from indexer.ocr.engines import OcrEngine, load_ocr_engine
from indexer.stages.build_index import build_index
from indexer.stages.decode import decode_memes
from indexer.stages.embed_images import embed_images
from indexer.stages.embed_texts import embed_passages, split_texts
from indexer.stages.ocr import ocr_memes
from indexer.stages.prepare_encoders import prepare_image_encoder, prepare_text_encoder
from indexer.stages.weigh_texts import weigh_texts
from indexer.work.locks import lock
from indexer.work.progress import Progress, StageReport, track_stage
from search.encoders.base import ImageEncoder, TextEncoder
from search.errors import ModelUnavailable
from search.index.generations import live_image_encoder
from search.meme import Stage
from search.settings import Settings, keep_setting, kept_setting
from search.workspace import Workspace


def index_library(
    workspace: Workspace,
    *,
    progress: Progress,
    reocr: bool = False,
    badly_read: bool = False,
    load_engine: Callable[[Settings], OcrEngine | None] = load_ocr_engine,
    load_encoder: Callable[[Settings], TextEncoder] = prepare_text_encoder,
    load_images: Callable[[Settings], ImageEncoder | None] = prepare_image_encoder,
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
            workspace.catalogue.failures.record(stage, "the model", error)
            done, failed, note = 0, 1, error.message
        else:
            workspace.catalogue.failures.forget(stage, subject="the model")
        reports.append(StageReport(stage, done, failed, monotonic() - begun, note))
        finished(reports[-1])

    def read() -> tuple[int, int]:
        engine = load_engine(workspace.settings)
        return (
            (0, 0)
            if engine is None
            else ocr_memes(workspace, engine, progress=progress, again=reocr, badly_read=badly_read)
        )

    def embed() -> tuple[int, int]:
        split_texts(workspace.catalogue)
        with track_stage(progress, Stage.EMBED, 1, unit="text encoder, made once"):
            encoder = load_encoder(workspace.settings)
        done = embed_passages(workspace.catalogue, encoder, progress=progress)
        weigh_texts(workspace.catalogue, encoder=encoder.name)
        return done, 0

    seen_by = live_image_encoder(workspace.index) if workspace.settings.image_encoder else ""

    def see() -> tuple[int, int]:
        nonlocal seen_by
        if not workspace.settings.image_encoder:
            return 0, 0
        with track_stage(progress, Stage.PICTURES, 1, unit="image encoder, made ready once"):
            encoder = load_images(workspace.settings)
        if encoder is None:
            return 0, 0
        seen_by = encoder.name
        return embed_images(workspace, encoder, progress=progress)

    def build() -> tuple[int, int]:
        build_index(workspace, text_encoder=workspace.settings.text_encoder, image_encoder=seen_by, progress=progress)
        return workspace.catalogue.memes.count(), 0

    workspace = replace(workspace, settings=replace(workspace.settings, library=library_root(workspace.library)))
    _remember_library(workspace.settings)
    recover_merges(workspace)
    recover_uploads(workspace)
    recover_refilings(workspace)
    # Of two scans at a time the one that saw less would take what the other saw for vanished.
    with lock(workspace.data, "scanning"):
        report(Stage.SCAN, lambda: scan_library(workspace.library, workspace.catalogue, progress=progress))
    report(Stage.MEDIA, lambda: decode_memes(workspace, progress=progress))
    report(Stage.OCR, read)
    report(Stage.EMBED, embed)
    report(Stage.PICTURES, see)
    report(Stage.BUILD, build)
    return reports


def _remember_library(settings: Settings) -> None:
    kept = kept_setting(settings.data, "library")
    if kept is None or kept.expanduser().absolute() != settings.library:
        keep_setting(settings.data, "library", str(settings.library))
