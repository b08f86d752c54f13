"""The build stage: build the index from the catalogue. Index files are a cache: they can always be built again."""

from __future__ import annotations

from indexer.work.locks import lock
from indexer.work.progress import SILENT, Progress, track_stage
from search.index.generations import Manifest
from search.index.reader import verified_manifest
from search.index.writer import PARTS, build_generation
from search.meme import Stage
from search.texts.agreement import LEAST_WEIGHT
from search.texts.chunking import SPLITTER
from search.workspace import Workspace

WAIT_SECONDS = 600  # for another build to end, before giving up


def build_index(
    workspace: Workspace,
    *,
    text_encoder: str,
    image_encoder: str = "",
    progress: Progress = SILENT,
    force: bool = False,
) -> Manifest:
    """Build an index generation from the catalogue, make it the live one and return its manifest.

    The encoders are names. Without `force`, a live generation that was built from the same revision of the catalogue
    with the same encoders stays, unless it was extended or one of its files is damaged. Raises DataFolderError when
    the data folder cannot be written or another build does not end in time; the live generation is then unchanged.

    >>> from indexer.stages.build_index import build_index
    >>> manifest = build_index(workspace, text_encoder=encoder.name, force=True)
    >>> manifest.memes, manifest.rows["words.ocr"]
    (9, 7)
    """
    index = workspace.index
    with lock(workspace.data, "building", seconds=WAIT_SECONDS):
        live = None if force else verified_manifest(index)
        catalogue = workspace.catalogue
        # Read before the build's snapshot, which therefore has these changes.
        uploads, operations = catalogue.uploads.unindexed(), catalogue.journal.unindexed()
        wanted = (text_encoder, image_encoder, SPLITTER, 0)
        same = live is not None and (live.text_encoder, live.image_encoder, live.splitter, live.changed) == wanted
        if live is not None and same and catalogue.is_indexed(live.revision):
            return live
        with track_stage(progress, Stage.BUILD, PARTS, unit="parts"):
            built = build_generation(
                index,
                catalogue,
                text_encoder=text_encoder,
                image_encoder=image_encoder,
                splitter=SPLITTER,
                least_weight=LEAST_WEIGHT,
                on_part=progress.advance,
            )
        catalogue.uploads.mark_indexed(uploads)
        catalogue.journal.mark_indexed(operations)
        return built
