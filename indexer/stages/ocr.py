"""The OCR stage: read the text in each picture once with the chosen OCR engine."""

from __future__ import annotations

from indexer.ocr.engines import OcrEngine, Reading, read_frames
from indexer.stages.decode import decode_content, map_in_threads
from indexer.stages.weigh_texts import BADLY_READ
from indexer.work.leases import work_lease
from indexer.work.part import Part, in_part
from indexer.work.progress import Progress, track_stage
from search.catalogue import ReadingRecord
from search.errors import UnreadableFile
from search.meme import Meme, Stage, TextKind
from search.workspace import Workspace


def ocr_memes(
    workspace: Workspace,
    engine: OcrEngine,
    *,
    progress: Progress,
    again: bool = False,
    badly_read: bool = False,
    part: Part | None = None,
) -> tuple[int, int]:
    """Read the memes that have no OCR text; return how many were read and how many failed.

    Other processes may share the work. With `again`, memes with an OCR text from another source are read too, and that
    text is kept; with `badly_read`, only those among them whose text has a low quality. With a part of the library, no
    other memes are read.
    """
    done = failed = 0

    def missing() -> list[Meme]:
        found = workspace.catalogue.readings.without_ocr(engine.name, again=again)
        if badly_read:
            bad = {meme.content_hash for meme, _ in workspace.catalogue.readings.badly_read(BADLY_READ)}
            found += [
                one
                for one in workspace.catalogue.readings.without_ocr(engine.name, again=True)
                if one.content_hash in bad
            ]
        return [meme for meme in found if in_part(part, meme.content_hash)]

    def is_missing(meme: Meme) -> bool:
        return bool(
            workspace.catalogue.readings.without_ocr(
                engine.name, again=again or badly_read, content_hash=meme.content_hash
            )
        )

    def read(meme: Meme) -> Reading:
        return read_frames(engine, decode_content(workspace.settings, meme).pictures)

    with (
        track_stage(progress, Stage.OCR, len(missing()), unit="pictures"),
        work_lease(workspace.catalogue, Stage.OCR) as lease,
    ):
        waiting = lease.until_done(missing, is_missing=is_missing, source=engine.name)
        for meme, result in map_in_threads(read, waiting, threads=workspace.settings.threads):
            if isinstance(result, UnreadableFile):
                with workspace.catalogue.transaction():
                    workspace.catalogue.failures.record(
                        Stage.OCR, meme.path, result, content_hash=meme.content_hash, source=engine.name
                    )
                    lease.release(meme.content_hash, sources=(engine.name,))
                failed += 1
                progress.advance(failed=True)
                continue
            with workspace.catalogue.transaction():
                workspace.catalogue.readings.put(reading_record(meme, engine, result))
                # There is a text now, so an earlier failure of another engine is obsolete.
                workspace.catalogue.failures.forget(Stage.OCR, subject=meme.path)
                lease.release(meme.content_hash, sources=(engine.name,))
            done += 1
            progress.advance()
    return done, failed


def reading_record(meme: Meme, engine: OcrEngine, reading: Reading) -> ReadingRecord:
    """Return the catalogue's record of an engine's reading of a meme."""
    boxes = [[line.text, round(line.confidence, 3), line.box] for line in reading.lines]
    return ReadingRecord(meme.content_hash, TextKind.OCR, engine.name, reading.text, reading.quality, boxes)
