"""The status of a library: how much each stage has done, what is missing and what failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from indexer.library.format import UNSUPPORTED
from indexer.library.links import OUTSIDE
from indexer.ocr.engines import OCR_OFF
from indexer.stages.decode import missing_pictures
from indexer.stages.weigh_texts import BADLY_READ
from search.catalogue import Catalogue
from search.encoders.clip_models import display_name
from search.encoders.registry import chosen_image_encoder, chosen_text_encoder, image_encoder_spec
from search.errors import WrongUse
from search.meme import Failure, Meme, Stage
from search.texts.chunking import SPLITTER
from search.workspace import Workspace


@dataclass(frozen=True)
class StageStatus:
    """The finished, missing and failed items of a stage, counted in `unit`; `note` is a remark for the user."""

    stage: Stage
    done: int
    missing: int
    failed: int
    unit: str
    note: str = ""


@dataclass(frozen=True)
class LibraryStatus:
    """The size of a library, the status of each stage, every recorded failure, and what is damaged but shown."""

    memes: int
    categories: int
    described: int
    stages: tuple[StageStatus, ...]
    failures: tuple[Failure, ...]
    damaged: tuple[Meme, ...] = ()


def library_status(workspace: Workspace) -> LibraryStatus:
    """Return the status of a library and of each stage, from the catalogue alone; the library's folder is not read.

    >>> import indexer
    >>> status = indexer.library_status(workspace)
    >>> status.memes, status.categories, [stage.stage.value for stage in status.stages if stage.missing]
    (9, 5, ['describe'])
    """
    failures = tuple(workspace.catalogue.failures.all())
    memes = workspace.catalogue.memes.count()
    decoded = workspace.catalogue.pictures.count()
    with_ocr = workspace.catalogue.readings.count_with_ocr()
    described = workspace.catalogue.texts.count_described()
    text_encoder = chosen_text_encoder(workspace.settings) or workspace.settings.text_encoder
    passages = workspace.catalogue.embeddings.count_passages()
    unembedded = workspace.catalogue.embeddings.count_missing_passages(text_encoder)
    badly_read = len(workspace.catalogue.readings.badly_read(BADLY_READ))
    unsplit = workspace.catalogue.texts.count_unsplit(SPLITTER)

    def failures_of(stage: Stage) -> int:
        return sum(failure.stage is stage for failure in failures)

    stages: tuple[StageStatus, ...] = (
        StageStatus(Stage.SCAN, memes, 0, failures_of(Stage.SCAN), "memes", _scan_note(failures)),
        StageStatus(Stage.MEDIA, decoded, len(missing_pictures(workspace)), failures_of(Stage.MEDIA), "pictures"),
        StageStatus(
            Stage.OCR,
            with_ocr,
            0 if workspace.settings.ocr_engine == OCR_OFF else max(0, decoded - with_ocr - failures_of(Stage.OCR)),
            failures_of(Stage.OCR),
            "memes",
            f"{badly_read} badly read: see /curator/reading, or `memetica index --reread badly-read --ocr tesseract`"
            if badly_read
            else "",
        ),
        StageStatus(Stage.DESCRIBE, described, memes - described, failures_of(Stage.DESCRIBE), "memes"),
        StageStatus(
            Stage.EMBED,
            passages - unembedded,
            unembedded,
            failures_of(Stage.EMBED),
            "passages",
            f"{unsplit} memes have texts that are not yet split into passages" if unsplit else "",
        ),
    )
    if image_encoder_spec(workspace.settings):
        stages += (_image_status(workspace, decoded=decoded, failed=failures_of(Stage.PICTURES)),)
    return LibraryStatus(
        memes,
        len(workspace.catalogue.memes.categories()),
        described,
        tuple(_with_leases(status, workspace.catalogue) for status in stages),
        failures,
        tuple(workspace.catalogue.pictures.damaged()),
    )


def unsupported_kinds(failures: Sequence[Failure]) -> str:
    """Return how many files of each unsupported kind are in the library, in words; empty when there is none."""
    kinds = Counter(
        PurePosixPath(one.subject).suffix.lower()
        for one in failures
        if one.stage is Stage.SCAN and one.reason == UNSUPPORTED
    )
    counted = ", ".join(f"{kind} {number:,}" for kind, number in kinds.most_common())
    return f"not read, save them as PNG or MP4: {counted}" if counted else ""


def _scan_note(failures: Sequence[Failure]) -> str:
    return "; ".join(filter(None, (unsupported_kinds(failures), _links_note(failures))))


def _links_note(failures: Sequence[Failure]) -> str:
    links = sum(failure.stage is Stage.SCAN and failure.reason == OUTSIDE for failure in failures)
    return f"{links:,} links that lead out of the library are not followed (setting `follow_links`)" if links else ""


def _image_status(workspace: Workspace, *, decoded: int, failed: int) -> StageStatus:
    """Return the status of the image encoder that the settings choose."""
    try:
        name = chosen_image_encoder(workspace.settings)
    except WrongUse as error:
        return StageStatus(Stage.PICTURES, 0, decoded, failed, "pictures", error.message)
    seen = workspace.catalogue.embeddings.count_pictures(name) if name else 0
    title = display_name(image_encoder_spec(workspace.settings))
    note = f"by {title}" if name else f"{title} is not ready: `memetica models` says why"
    return StageStatus(Stage.PICTURES, seen, max(0, decoded - seen - failed), failed, "pictures", note)


def _with_leases(status: StageStatus, catalogue: Catalogue) -> StageStatus:
    """Return a stage's status with a note on the work in progress."""
    held = [lease for lease in catalogue.leases.held() if lease.stage is status.stage]
    if not held:
        return status
    processes = len({lease.owner for lease in held})
    note = f"{len(held)} in progress in {processes} process{'es' if processes > 1 else ''}"
    return replace(status, note="; ".join(filter(None, (note, status.note))))
