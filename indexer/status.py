"""How far a library is: for each stage what is done, missing and failed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from indexer.ocr.engines import OCR_OFF
from indexer.stages.decode import missing_pictures
from indexer.stages.weigh_texts import BADLY_READ
from search.catalogue import Catalogue
from search.encoders.clip_models import display_name
from search.encoders.registry import chosen_image_encoder
from search.errors import WrongUse
from search.meme import Failure, Stage
from search.texts.chunking import SPLITTER
from search.workspace import Workspace


@dataclass(frozen=True)
class StageStatus:
    """How far a stage is, counted in `unit`; `note` says what else the reader should know."""

    stage: Stage
    done: int
    missing: int
    failed: int
    unit: str
    note: str = ""


@dataclass(frozen=True)
class LibraryStatus:
    """What is known of a library, and what is still to be done."""

    memes: int
    categories: int
    described: int
    stages: tuple[StageStatus, ...]
    failures: tuple[Failure, ...]


def library_status(workspace: Workspace) -> LibraryStatus:
    """Return how far each stage is, from the catalogue alone: the library's folder is not walked."""
    failures = tuple(workspace.catalogue.failures.all())
    memes = workspace.catalogue.memes.count()
    decoded = workspace.catalogue.pictures.count()
    with_ocr = workspace.catalogue.texts.count_with_ocr()
    described = workspace.catalogue.texts.count_described()
    passages = workspace.catalogue.embeddings.count_passages()
    unembedded = workspace.catalogue.embeddings.count_missing_passages(workspace.settings.text_encoder)
    badly = len(workspace.catalogue.texts.badly_read(BADLY_READ))
    unsplit = len(workspace.catalogue.texts.unsplit(SPLITTER))

    def failed(stage: Stage) -> int:
        return sum(one.stage is stage for one in failures)

    stages: tuple[StageStatus, ...] = (
        StageStatus(Stage.SCAN, memes, 0, failed(Stage.SCAN), "memes"),
        StageStatus(Stage.MEDIA, decoded, len(missing_pictures(workspace)), failed(Stage.MEDIA), "pictures"),
        StageStatus(
            Stage.OCR,
            with_ocr,
            0 if workspace.settings.ocr_engine == OCR_OFF else max(0, decoded - with_ocr - failed(Stage.OCR)),
            failed(Stage.OCR),
            "memes",
            f"{badly} badly read: /curator/reading, or `memetica index --retry-ocr --ocr tesseract`" if badly else "",
        ),
        StageStatus(Stage.DESCRIBE, described, memes - described, failed(Stage.DESCRIBE), "memes"),
        StageStatus(
            Stage.EMBED,
            passages - unembedded,
            unembedded,
            failed(Stage.EMBED),
            "passages",
            f"{unsplit} memes have texts that are yet to be cut into passages" if unsplit else "",
        ),
    )
    if workspace.settings.image_encoder:
        stages += (_seeing(workspace, decoded=decoded, failed=failed(Stage.PICTURES)),)
    return LibraryStatus(
        memes,
        len(workspace.catalogue.memes.categories()),
        described,
        tuple(_with_work_under_way(one, workspace.catalogue) for one in stages),
        failures,
    )


def _seeing(workspace: Workspace, *, decoded: int, failed: int) -> StageStatus:
    """Return how many pictures the image encoder that is chosen has seen."""
    try:
        name = chosen_image_encoder(workspace.settings)
    except WrongUse as error:
        return StageStatus(Stage.PICTURES, 0, decoded, failed, "pictures", error.message)
    seen = workspace.catalogue.embeddings.count_pictures(name) if name else 0
    title = display_name(workspace.settings.image_encoder)
    note = f"by {title}" if name else f"{title} is not ready: `memetica models` says why"
    return StageStatus(Stage.PICTURES, seen, max(0, decoded - seen - failed), failed, "pictures", note)


def _with_work_under_way(status: StageStatus, catalogue: Catalogue) -> StageStatus:
    """Return a stage's status with how much of it is being done now, and by how many processes."""
    held = [lease for lease in catalogue.leases.held() if lease.stage is status.stage]
    if not held:
        return status
    processes = len({lease.owner for lease in held})
    said = f"{len(held)} under way in {processes} process{'es' if processes > 1 else ''}"
    return replace(status, note="; ".join(filter(None, (said, status.note))))
