"""The words in a picture: RapidOCR by default, tesseract by choice, behind one protocol."""

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Protocol

import numpy as np
from PIL import Image

from indexer.spacing import known, with_spaces
from search.errors import ModelUnavailable, UnreadableFile, WrongUse
from search.settings import Settings

OCR_OFF = "none"
Box = tuple[tuple[float, float], ...]  # four corners from the top left on, in shares of width and height

_TESSERACT_SECONDS = 60
_TESSERACT_PAGE = 11  # "sparse text": captions stand anywhere on a picture


@dataclass(frozen=True)
class Line:
    """A line of text, how sure the engine is (0 to 1), and where it stands."""

    text: str
    confidence: float
    box: Box


@dataclass(frozen=True)
class Reading:
    """What an engine read: the lines in reading order, the text that they make, and how good it looks (0 to 1)."""

    text: str
    lines: tuple[Line, ...]
    quality: float


class OcrEngine(Protocol):
    """Reads the words in a picture; may be asked by several threads."""

    @property
    def name(self) -> str:
        """The engine's name and version: under another name everything is read again."""

    def read(self, picture: Image.Image) -> Reading:
        """Return what stands in an RGB picture; raise UnreadableFile when the engine fails on it."""


def load_ocr(settings: Settings) -> OcrEngine | None:
    """Return the chosen engine, or None for `none`; raise ModelUnavailable when it is not installed."""
    match settings.ocr_engine:
        case "rapidocr":
            return RapidOcr()
        case "tesseract":
            return Tesseract()
        case "none":
            return None
        case other:
            raise WrongUse(f"There is no OCR engine {other!r}.", hint="Choose rapidocr, tesseract or none.")


def read_frames(engine: OcrEngine, pictures: Sequence[Image.Image]) -> Reading:
    """Return what an engine reads in the frames of one meme, a line that stays being said once."""
    readings = [engine.read(picture) for picture in pictures]
    if len(readings) == 1:
        return readings[0]
    lines: dict[str, Line] = {}
    for reading in readings:
        for line in reading.lines:
            key = "".join(filter(str.isalnum, line.text.lower()))
            if key not in lines or line.confidence > lines[key].confidence:
                lines[key] = line
    return reading_of(lines.values())


def reading_of(lines: Iterable[Line]) -> Reading:
    """Return a reading of lines that are in reading order."""
    kept = tuple(line for line in lines if line.text.strip())
    return Reading("\n".join(line.text for line in kept), kept, quality_of(kept))


def quality_of(lines: Sequence[Line]) -> float:
    """Return how good a reading looks in 0 to 1: the engine's confidence and the share of known words, by letters."""
    letters = sum(len(line.text) for line in lines)
    if not letters:
        return 0.0
    confidence = sum(line.confidence * len(line.text) for line in lines) / letters
    words = [word for line in lines for word in line.text.split() if any(map(str.isalpha, word))]
    bare = ["".join(letter for letter in word if letter.isalpha() or letter in "'’") for word in words]
    share = sum(len(word) for word in bare if known(word)) / max(1, sum(map(len, bare)))
    return round(float(confidence * (0.5 + 0.5 * share)), 4)


class RapidOcr:
    """RapidOCR on ONNX Runtime, with the words that it runs together put apart. Its models come inside its wheel."""

    def __init__(self) -> None:
        self.name = f"rapidocr-{version('rapidocr')}+spaces-1"
        self._engines = threading.local()

    def read(self, picture: Image.Image) -> Reading:
        """Return what stands in a picture, from top to bottom."""
        try:
            found = self._engine()(np.asarray(picture)[:, :, ::-1], return_word_box=True)
        except Exception as error:  # OpenCV and ONNX Runtime raise their own kinds
            raise UnreadableFile(f"RapidOCR failed on it: {error}.", hint="Try the other engine.") from error
        if found.boxes is None or not found.txts:
            return Reading("", (), 0.0)
        size = np.array(picture.size, np.float64)
        lines = []
        for box, text, score, words in zip(found.boxes, found.txts, found.scores, found.word_results, strict=True):
            corners = tuple((float(x), float(y)) for x, y in np.round(np.asarray(box) / size, 4))
            gaps = [word for word, _, _ in words]
            lines.append(Line(" ".join(_spaced(word, gaps) for word in text.split()), float(score), corners))
        return reading_of(lines)

    def _engine(self) -> Any:
        engine = getattr(self._engines, "engine", None)
        if engine is None:
            from rapidocr import EngineType, RapidOCR  # imports OpenCV and its models: half a second

            engine = RapidOCR(
                params={
                    "Global.log_level": "critical",
                    "Global.use_cls": False,  # captions are upright
                    "EngineConfig.onnxruntime.intra_op_num_threads": 1,  # a thread of ours has an engine of its own
                    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                }
                | {f"{part}.engine_type": EngineType.ONNXRUNTIME for part in ("Det", "Cls", "Rec")}
            )
            self._engines.engine = engine
        return engine


def _spaced(word: str, gaps: Sequence[str]) -> str:
    """Return a word put apart where its letters stand apart, if that makes words of it, or else by frequencies."""
    if known(word):
        return word
    for start in range(len(gaps)):
        for end in range(start + 2, len(gaps) + 1):
            if "".join(gaps[start:end]) == word and all(known(piece) for piece in gaps[start:end]):
                return " ".join(gaps[start:end])
    return with_spaces(word)


class Tesseract:
    """The `tesseract` command, one process a picture."""

    def __init__(self) -> None:
        command = shutil.which("tesseract")
        if command is None:
            raise ModelUnavailable(
                "tesseract is not installed.", hint="Install tesseract-ocr, or set the OCR engine to rapidocr."
            )
        self._command = command
        said = subprocess.run([command, "--version"], capture_output=True, text=True, check=False).stdout
        self.name = f"tesseract-{said.split()[1] if len(said.split()) > 1 else 'unknown'}+psm{_TESSERACT_PAGE}"

    def read(self, picture: Image.Image) -> Reading:
        """Return what stands in a picture, in tesseract's order."""
        raw = io.BytesIO()
        picture.save(raw, "PNG", compress_level=1)
        try:
            said = subprocess.run(
                [self._command, "-", "-", "--psm", str(_TESSERACT_PAGE), "tsv"],
                input=raw.getvalue(),
                capture_output=True,
                timeout=_TESSERACT_SECONDS,
                check=True,
                env=os.environ | {"OMP_THREAD_LIMIT": "1"},
            ).stdout.decode("utf-8", "replace")
        except (OSError, subprocess.SubprocessError) as error:
            raise UnreadableFile(f"tesseract failed on it: {error}.", hint="Try the other engine.") from error
        return reading_of(_lines_of_tsv(said, picture.width, picture.height))


def _lines_of_tsv(table: str, width: int, height: int) -> list[Line]:
    """Return the lines of tesseract's table of words."""
    words: dict[tuple[str, str, str], list[dict[str, str]]] = {}
    for row in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
        if (row.get("text") or "").strip() and float(row["conf"]) >= 0:
            words.setdefault((row["block_num"], row["par_num"], row["line_num"]), []).append(row)
    lines = []
    for row in words.values():
        left, top = (min(int(word[name]) for word in row) for name in ("left", "top"))
        right = max(int(word["left"]) + int(word["width"]) for word in row)
        bottom = max(int(word["top"]) + int(word["height"]) for word in row)
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        box = tuple((round(x / width, 4), round(y / height, 4)) for x, y in corners)
        confidence = sum(float(word["conf"]) for word in row) / len(row) / 100
        lines.append(Line(" ".join(word["text"] for word in row), confidence, box))
    return lines
