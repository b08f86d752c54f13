"""OCR engines behind one protocol: RapidOCR by default, or tesseract."""

from __future__ import annotations

import csv
import io
import math
import os
import shutil
import subprocess
import threading
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from PIL import Image

from indexer.ocr.plausible import plausible_share
from indexer.ocr.reading_order import Box, reading_order
from indexer.ocr.word_spacing import Letter, insert_spaces
from search.encoders.runtimes import ONNX_RUNTIME, OPENVINO, OPENVINO_STARTS, has_openvino, openvino_request
from search.errors import ModelUnavailable, UnreadableFile, WrongUse
from search.settings import Settings

OCR_OFF = "none"

# Sizes in pixels. RapidOCR shrinks pictures longer than 2,000, which makes text in tall screenshots unreadable.
_LEAST_SIDE = 320
_LARGEST_SCALE = 4.0
_TILE = 1600
_OVERLAP = 200  # more than a line's height, so that one of two tiles has the whole line
_TESSERACT_SECONDS = 60
_SHAPES_KEPT = 32
# Where an engine is at least so sure of letters that could be words of some language, they count as this share of known
# ones: enough not to be listed as badly read.
SURE, UNKNOWN_SHARE = 0.9, 0.15
_SPARSE_TEXT = 11  # for captions anywhere on a picture; compared in benchmarks/ocr.py


@dataclass(frozen=True)
class Line:
    """A line of text, the engine's confidence (0 to 1), and the line's box."""

    text: str
    confidence: float
    box: Box


@dataclass(frozen=True)
class Reading:
    """The result of an engine: the text, its lines in reading order, and its quality (0 to 1)."""

    text: str
    lines: tuple[Line, ...]
    quality: float


class OcrEngine(Protocol):
    """Reads the text in a picture; several threads may use it."""

    @property
    def name(self) -> str:
        """The engine's name and version; a new name reads every picture again."""

    def read(self, picture: Image.Image) -> Reading:
        """Return the text in an RGB picture; raise UnreadableFile when the engine fails."""


def load_ocr_engine(settings: Settings) -> OcrEngine | None:
    """Return the engine of the settings, None for `none`; raise ModelUnavailable when it is not installed.

    >>> load_ocr_engine(workspace.settings) is None
    True
    """
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
    """Return the text in the frames of one meme; a line that is in several frames is returned once."""
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
    """Return the reading of lines that are in reading order; empty lines are dropped."""
    kept = tuple(line for line in lines if line.text.strip())
    return Reading("\n".join(line.text for line in kept), kept, quality_of(kept))


def quality_of(lines: Sequence[Line]) -> float:
    """Return the quality of a reading, 0 to 1: the confidence times the share of plausible words, weighted by letters.

    In English plausible words are those of the dictionary; other scripts and languages are judged by their own signs.
    """
    letters = sum(len(line.text) for line in lines)
    if not letters:
        return 0.0
    confidence = sum(line.confidence * len(line.text) for line in lines) / letters
    texts = [line.text for line in lines]
    share = plausible_share(texts)
    if confidence >= SURE and share < UNKNOWN_SHARE:
        # A few words of another language may have nothing that tells which.
        share = max(share, UNKNOWN_SHARE * plausible_share(texts, language_unknown=True))
    return round(float(confidence * (0.5 + 0.5 * share)), 4)


class RapidOcr:
    """RapidOCR, with the spaces between words restored. Its models come with its package.

    `runtime` runs them: by default OpenVINO if it is installed, more than twice as fast as ONNX Runtime. The texts
    are the same (benchmarks/ocr.py), so the engine's name does not depend on it.
    """

    def __init__(self, *, runtime: str = "") -> None:
        self.name = f"rapidocr-{version('rapidocr')}+spaces-2"
        self.runtime = runtime or (OPENVINO if has_openvino() else ONNX_RUNTIME)
        self._engines = threading.local()

    def read(self, picture: Image.Image) -> Reading:
        """Return the text in a picture, in reading order."""
        picture = picture.convert("RGB")
        # Small pictures are enlarged here: RapidOCR itself would make a strip of 40 × 900 pixels 16,000 high.
        scale = min(_LARGEST_SCALE, max(1.0, _LEAST_SIDE / min(picture.size)), max(1.0, _TILE / max(picture.size)))
        seen = picture.resize([round(side * scale) for side in picture.size]) if scale > 1 else picture
        lines = [line for tile in tiles(seen.size) for line in self._read_tile(seen, tile)]
        order = reading_order([line.box for line in lines], shape=seen.width / seen.height)
        return reading_of(lines[at] for at in order)

    def _read_tile(self, picture: Image.Image, tile: Tile) -> list[Line]:
        """Return the lines of a tile whose centres are in the tile's own part."""
        engine = self._engine()
        try:
            found = engine(np.asarray(picture.crop(tile.read))[:, :, ::-1])
        except Exception as error:  # OpenCV and the runtimes raise types of their own
            raise UnreadableFile(
                f"RapidOCR failed on it: {error}.", hint="Try the other OCR engine, tesseract."
            ) from error
        lines = []
        for box, text, score in zip(
            () if found.boxes is None else found.boxes, found.txts or (), found.scores or (), strict=True
        ):
            corners = np.asarray(box, np.float64) + tile.read[:2]
            x, y = corners.mean(axis=0)
            if tile.own[0] <= x < tile.own[2] and tile.own[1] <= y < tile.own[3]:
                shares = np.round(np.clip(corners / picture.size, 0, 1), 4)
                lines.append(Line(text, float(score), tuple((float(x), float(y)) for x, y in shares)))
        return lines

    def _engine(self) -> Any:
        engine: Any = getattr(self._engines, "engine", None)
        if engine is None:
            try:
                with OPENVINO_STARTS if self.runtime == OPENVINO else nullcontext():
                    engine = self._engines.engine = _rapidocr(self.runtime)
            except Exception as error:  # runtimes raise types of their own on an unsupported machine
                raise ModelUnavailable(
                    f"RapidOCR cannot be started with {self.runtime}: {error}.", hint="Set the OCR engine to tesseract."
                ) from error
        return engine


def _rapidocr(runtime: str) -> Any:
    """Return RapidOCR with its own models, for one thread, and with the decoder that restores spaces."""
    from rapidocr import EngineType, RapidOCR  # imports OpenCV and its models: half a second

    engine: Any = RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,  # captions are upright
            "Det.limit_side_len": 32,  # `read` has already scaled the picture
            # Each of our threads has its own engine.
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            "EngineConfig.openvino.inference_num_threads": 1,
            "EngineConfig.openvino.enable_cpu_pinning": False,
        }
        | {f"{part}.engine_type": EngineType(runtime) for part in ("Det", "Cls", "Rec")}
    )
    # Models are loaded at their first use; only then can the recogniser's decoder be replaced.
    blank = np.full((48, 96, 3), 255, np.uint8)
    engine(blank, use_det=True, use_rec=False)
    engine(blank, use_det=False, use_rec=True)
    engine.use_det = engine.use_rec = True
    recognizer: Any = engine.text_rec
    recognizer.postprocess_op = _SpacedDecoder(recognizer.postprocess_op.character)
    if runtime == OPENVINO:
        for part in (engine.text_det, recognizer):
            # Almost every picture has another shape.
            part.session.session = openvino_request(part.session.model, threads=1, shapes=_SHAPES_KEPT)
    return engine


@dataclass(frozen=True)
class Tile:
    """A tile: the box that is read, and the box whose lines it keeps, in pixels (left, top, right, bottom)."""

    read: tuple[int, int, int, int]
    own: tuple[int, int, int, int]


def tiles(size: tuple[int, int]) -> list[Tile]:
    """Return overlapping tiles that cover a picture of this size, row by row; their own parts do not overlap."""
    across, down = (_spans(length) for length in size)
    return [
        Tile((left[0], top[0], left[3], top[3]), (left[1], top[1], left[2], top[2])) for top in down for left in across
    ]


def _spans(length: int) -> list[tuple[int, int, int, int]]:
    """Return (read from, own from, own to, read to) for each of the equal parts of a length."""
    count = max(1, math.ceil((length - _OVERLAP) / (_TILE - _OVERLAP)))
    ends = [round(length * at / count) for at in range(count + 1)]
    half = _OVERLAP // 2
    return [(max(0, begin - half), begin, end, min(length, end + half)) for begin, end in pairwise(ends)]


class _SpacedDecoder:
    """RapidOCR's decoder of the recogniser's output, with spaces inserted by `insert_spaces`."""

    def __init__(self, character: Sequence[str]) -> None:
        self.character = character  # of each class; the first is "no letter"
        self._space = character.index(" ")

    def __call__(self, answers: np.ndarray, *_: object, **__: object) -> tuple[list[tuple[str, float]], list[None]]:
        """Return text and confidence of each line, from the class probabilities ([lines, steps, classes])."""
        return [self._line(shares) for shares in answers], [None] * len(answers)

    def _line(self, shares: np.ndarray) -> tuple[str, float]:
        classes = shares.argmax(axis=1)
        letters: list[Letter] = []
        confidences = []
        gap, before = 0.0, 0
        for step, (at, space) in enumerate(zip(classes.tolist(), shares[:, self._space].tolist(), strict=True)):
            if at in (0, self._space):
                gap = max(gap, space)
            elif at != before:
                letters.append(Letter(self.character[at], gap))
                confidences.append(float(shares[step, at]))
                gap = 0.0
            before = at
        return insert_spaces(letters), sum(confidences) / len(confidences) if confidences else 0.0


class Tesseract:
    """The `tesseract` command, one process for each picture; `page` is its page segmentation mode."""

    def __init__(self, *, page: int = _SPARSE_TEXT) -> None:
        command = shutil.which("tesseract")
        if command is None:
            raise ModelUnavailable(
                "tesseract is not installed.", hint="Install tesseract-ocr, or set the OCR engine to rapidocr."
            )
        self._command = command
        self._page = page
        said = subprocess.run([command, "--version"], capture_output=True, text=True, check=False).stdout
        self.name = f"tesseract-{said.split()[1] if len(said.split()) > 1 else 'unknown'}+psm{page}"

    def read(self, picture: Image.Image) -> Reading:
        """Return the text in a picture, in tesseract's order."""
        raw = io.BytesIO()
        picture.save(raw, "PNG", compress_level=1)
        try:
            said = subprocess.run(
                [self._command, "-", "-", "--psm", str(self._page), "tsv"],
                input=raw.getvalue(),
                capture_output=True,
                timeout=_TESSERACT_SECONDS,
                check=True,
                env=os.environ | {"OMP_THREAD_LIMIT": "1"},
            ).stdout.decode("utf-8", "replace")
        except (OSError, subprocess.SubprocessError) as error:
            raise UnreadableFile(
                f"tesseract failed on it: {error}.", hint="Try the other OCR engine, rapidocr."
            ) from error
        return reading_of(_lines_of_tsv(said, picture.width, picture.height))


def _lines_of_tsv(table: str, width: int, height: int) -> list[Line]:
    """Return the lines in tesseract's TSV table of words."""
    words: dict[tuple[str, str, str], list[dict[str, str]]] = {}
    for row in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
        if (row.get("text") or "").strip() and float(row["conf"]) >= 0:
            words.setdefault((row["block_num"], row["par_num"], row["line_num"]), []).append(row)
    lines = []
    for line in words.values():
        left, top = (min(int(word[name]) for word in line) for name in ("left", "top"))
        right = max(int(word["left"]) + int(word["width"]) for word in line)
        bottom = max(int(word["top"]) + int(word["height"]) for word in line)
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        box = tuple((round(x / width, 4), round(y / height, 4)) for x, y in corners)
        confidence = sum(float(word["conf"]) for word in line) / len(line) / 100
        lines.append(Line(" ".join(word["text"] for word in line), confidence, box))
    return lines
