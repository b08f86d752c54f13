"""The third stage: the words in each picture, read once by the chosen engine."""

from __future__ import annotations

from indexer.media import decode
from indexer.ocr import OcrEngine, Reading, read_frames
from indexer.pictures import in_threads
from indexer.progress import Progress, stage_of
from search.catalogue import Catalogue, ReadingRecord
from search.errors import UnreadableFile
from search.meme import Meme, Stage, TextKind
from search.settings import Settings


def read_memes(
    settings: Settings, catalogue: Catalogue, engine: OcrEngine, *, progress: Progress, again: bool = False
) -> tuple[int, int]:
    """Read the memes that have no OCR text; return how many were read and how many failed.

    With `again`, memes that have a text by another source are read too; that text stays, for a comparison.
    """
    waiting = catalogue.texts.without_ocr(engine.name, again=again)
    done = failed = 0

    def read(meme: Meme) -> Reading:
        file = settings.library / meme.path
        decoded = decode(file, max_pixels=settings.max_pixels, max_bytes=settings.max_bytes)
        return read_frames(engine, decoded.pictures)

    with stage_of(progress, Stage.OCR, len(waiting), unit="pictures"):
        for meme, result in in_threads(read, waiting, threads=settings.threads):
            if isinstance(result, UnreadableFile):
                catalogue.failures.record(Stage.OCR, meme.path, result, content_hash=meme.content_hash)
                failed += 1
                progress.advance(failed=True)
                continue
            boxes = [[line.text, round(line.confidence, 3), line.box] for line in result.lines]
            catalogue.texts.put_reading(
                ReadingRecord(meme.content_hash, TextKind.OCR, engine.name, result.text, result.quality, boxes)
            )
            done += 1
            progress.advance()
    return done, failed
