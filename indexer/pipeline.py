"""Run the stages of `memetica index` in order. Each does only missing work, so a run may be interrupted at any time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from time import monotonic

from indexer.library.format import library_root
from indexer.library.leftovers import remove_leftovers
from indexer.library.scan import scan_library
from indexer.library.transaction import recover
from indexer.library.vanished import check_library_is_known
from indexer.ocr.engines import OcrEngine, load_ocr_engine
from indexer.stages.build_index import build_index
from indexer.stages.decode import decode_memes
from indexer.stages.embed_images import embed_images
from indexer.stages.embed_texts import embed_passages, split_texts
from indexer.stages.ocr import ocr_memes
from indexer.stages.prepare_encoders import prepare_image_encoder, prepare_text_encoder
from indexer.stages.weigh_texts import weigh_texts
from indexer.work.locks import lock
from indexer.work.part import Part
from indexer.work.progress import SILENT, Progress, StageReport, track_stage
from search.catalogue.copies import keep_daily_copy
from search.encoders.base import ImageEncoder, TextEncoder
from search.encoders.registry import chosen_image_encoder, image_encoder_spec
from search.errors import DataFolderError, LibraryError, ModelUnavailable, WrongUse
from search.index.generations import live_image_encoder
from search.index.text_encoder import text_encoder_in_use
from search.meme import Stage
from search.settings import Settings, save_setting, stored_setting
from search.workspace import Workspace

logger = logging.getLogger("memetica.index")
MANY_PICTURES = 200  # more of them are embedded only after the words are indexed
_MODEL = "the model"  # the subject of a failure that concerns a whole stage


def index_library(
    workspace: Workspace,
    *,
    progress: Progress = SILENT,
    reocr: bool = False,
    badly_read: bool = False,
    gone: bool = False,
    new_library: bool = False,
    part: Part | None = None,
    load_engine: Callable[[Settings], OcrEngine | None] = load_ocr_engine,
    load_encoder: Callable[[Settings], TextEncoder] = prepare_text_encoder,
    load_images: Callable[[Settings], ImageEncoder | None] = prepare_image_encoder,
    on_stage: Callable[[StageReport], None] = lambda report: None,
) -> list[StageReport]:
    """Bring catalogue and index up to date with the library; return a report of each stage, in order.

    `on_stage` is called with each report at the end of its stage. `reocr` reads memes again that have a text from
    another source, `badly_read` only those whose text has a low quality. Several processes may run at a time: they scan
    one after the other and share the work of the other stages. The library's path is saved in the data folder's
    settings, as the default of other commands. The catalogue is copied to `backups` once a day.

    `gone` says that it is meant when most of the known memes are gone, `new_library` when the library is another folder
    than the one that was indexed before; its memes then replace the known ones. Without them this raises LibraryError
    and changes nothing, because the disk may not be mounted.

    With a `part`, only the contents in it are decoded, read and embedded, and no index is built: other machines do the
    other parts, each with a data folder of its own, and `gather_parts` takes them over.

    Raises LibraryError also when the library's folder is missing, DataFolderError when the data folder cannot be
    written. A missing OCR engine or encoder fails its stage, not the run.

    >>> import indexer
    >>> reports = indexer.index_library(workspace, load_encoder=lambda settings: encoder)
    >>> [(report.stage.value, report.done, report.failed) for report in reports][:2]
    [('scan', 9, 0), ('media', 0, 0)]
    """
    workspace = replace(workspace, settings=replace(workspace.settings, library=library_root(workspace.library)))
    if not new_library:
        check_library_is_known(workspace)
    unfinished: dict[str, str] = {}  # of several operations with one reason, the first

    def note(error: LibraryError) -> None:
        unfinished.setdefault(error.message, f"{error.message} {error.hint}".strip())

    recover(workspace, on_unfinished=note)
    _copy_catalogue(workspace)
    remove_leftovers(workspace.data, workspace.library)
    stages = _Stages(
        workspace,
        progress,
        reocr=reocr,
        badly_read=badly_read,
        load_engine=load_engine,
        load_encoder=load_encoder,
        load_images=load_images,
        gone=gone,
        new_library=new_library,
        part=part,
    )
    reports = []
    works = [
        (Stage.SCAN, stages.scan),
        (Stage.MEDIA, stages.decode),
        (Stage.OCR, stages.ocr),
        (Stage.EMBED, stages.embed_texts),
        (Stage.PICTURES, stages.embed_images),
    ]
    if part is None:
        works.append((Stage.BUILD, stages.build))
    for stage, work in works:
        report = _run(workspace, stage, work)
        if stage is Stage.SCAN and unfinished:
            report = replace(report, note=" ".join((*unfinished.values(), report.note)).strip())
        reports.append(report)
        on_stage(reports[-1])
    _copy_catalogue(workspace)  # after a first run, which had nothing to copy before
    return reports


class _Stages:
    """The work of each stage in one run; each method returns the number of finished and of failed items."""

    def __init__(
        self,
        workspace: Workspace,
        progress: Progress,
        *,
        reocr: bool,
        badly_read: bool,
        load_engine: Callable[[Settings], OcrEngine | None],
        load_encoder: Callable[[Settings], TextEncoder],
        load_images: Callable[[Settings], ImageEncoder | None],
        gone: bool,
        new_library: bool,
        part: Part | None,
    ) -> None:
        self._workspace = workspace
        self._settings = workspace.settings
        self._progress = progress
        self._reocr = reocr
        self._badly_read = badly_read
        self._gone = gone
        self._new_library = new_library
        self._part = part
        self._load_engine = load_engine
        self._load_encoder = load_encoder
        self._load_images = load_images
        # If a chosen encoder cannot be loaded, the index keeps the embeddings of its current one.
        self._sees = bool(image_encoder_spec(self._settings))
        self._image_encoder = live_image_encoder(workspace.index) if self._sees else ""
        self._text_encoder = text_encoder_in_use(self._settings)

    def scan(self) -> tuple[int, int]:
        # Of two concurrent scans, the earlier would mark files as vanished that only the later has seen.
        with lock(self._workspace.data, "scanning"):
            found = scan_library(
                self._workspace.library,
                self._workspace.catalogue,
                progress=self._progress,
                follow_links=self._settings.follow_links,
                gone=self._gone,
                new_library=self._new_library,
            )
        _remember_library(self._settings)
        return found

    def decode(self) -> tuple[int, int]:
        return decode_memes(self._workspace, progress=self._progress, part=self._part)

    def ocr(self) -> tuple[int, int]:
        engine = self._load_engine(self._settings)
        if engine is None:
            return 0, 0
        return ocr_memes(
            self._workspace,
            engine,
            progress=self._progress,
            again=self._reocr,
            badly_read=self._badly_read,
            part=self._part,
        )

    def embed_texts(self) -> tuple[int, int]:
        split_texts(self._workspace.catalogue, part=self._part)
        with track_stage(self._progress, Stage.EMBED, 1, unit="text encoder, made once"):
            encoder = self._load_encoder(self._settings)
        done = embed_passages(self._workspace.catalogue, encoder, progress=self._progress)
        self._text_encoder = encoder.name
        if self._part is None:
            weigh_texts(self._workspace.catalogue, encoder=encoder.name)
        return done, 0

    def embed_images(self) -> tuple[int, int]:
        if not self._sees:
            return 0, 0
        if self._part is None and self._must_wait_for_pictures():
            self.build()  # words are found already while a model is downloaded and pictures are embedded
        with track_stage(self._progress, Stage.PICTURES, 1, unit="image encoder, made ready once"):
            encoder = self._load_images(self._settings)
        if encoder is None:
            return 0, 0
        self._image_encoder = encoder.name
        return embed_images(self._workspace, encoder, progress=self._progress, part=self._part)

    def _must_wait_for_pictures(self) -> bool:
        """Return whether embedding the pictures takes long: the encoder is not ready, or has not seen many of them."""
        try:
            name = chosen_image_encoder(self._settings)
        except WrongUse:
            return False
        return not name or len(self._workspace.catalogue.embeddings.missing_pictures(name)) > MANY_PICTURES

    def build(self) -> tuple[int, int]:
        build_index(
            self._workspace,
            text_encoder=self._text_encoder,
            image_encoder=self._image_encoder,
            progress=self._progress,
        )
        return self._workspace.catalogue.memes.count(), 0


def _run(workspace: Workspace, stage: Stage, work: Callable[[], tuple[int, int]]) -> StageReport:
    """Run one stage and return its report; a model that cannot be loaded is recorded as the stage's failure."""
    started = monotonic()
    note = ""
    try:
        done, failed = work()
    except ModelUnavailable as error:
        workspace.catalogue.failures.record(stage, _MODEL, error)
        done, failed, note = 0, 1, error.message
    else:
        workspace.catalogue.failures.forget(stage, subject=_MODEL)
    return StageReport(stage, done, failed, monotonic() - started, note)


def _copy_catalogue(workspace: Workspace) -> None:
    """Make today's copy of the catalogue; one that cannot be made, on a full disk, is logged and stops nothing."""
    try:
        keep_daily_copy(workspace.data)
    except DataFolderError as error:
        logger.warning("Today's copy of the catalogue is not made. %s %s", error.message, error.hint)


def _remember_library(settings: Settings) -> None:
    kept = stored_setting(settings.data, "library")
    if kept is None or kept.expanduser().absolute() != settings.library:
        save_setting(settings.data, "library", str(settings.library))
