"""OCR: word recall and precision of each engine on memes whose captions are known, and its processor time a picture.

    python -m benchmarks.ocr
    python -m benchmarks.ocr cm50 --pictures 300
    python -m benchmarks.ocr cm50 --only OpenVINO

A word counts as often as it occurs in both texts, without case and apostrophes. `indexer.ocr.word_spacing` was fitted
on every second template by name, before halves were split by a hash; `held out` here leaves those templates out as
well. Intervals are 95 %, by resampling memes. Some templates contain words before they are captioned: where
real_memes has the blank template, one more line counts the words that the same engine reads on it as right.
"""

from __future__ import annotations

import re
import time
import zlib
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rapidocr import EngineType, RapidOCR

from benchmarks.data import Library, add_library, library_of, shared
from benchmarks.harness import Benchmark, Report, Skipped, is_held_out
from indexer.ocr.engines import OcrEngine, RapidOcr, Tesseract
from search.encoders.runtimes import ONNX_RUNTIME, OPENVINO
from search.errors import ModelUnavailable

try:
    from symspellpy import SymSpell
except ImportError:
    SymSpell = None

Reader = Callable[[Image.Image], str]
SPLIT_FROM = 7  # letters
RESAMPLES = 400
STILL = (".jpg", ".jpeg", ".png", ".webp")  # what every engine opens
BENCHMARK = Benchmark(
    __doc__,
    needs="nothing (the drawn demo library), or CM50; engines that are not installed are skipped",
    takes="5 minutes for 120 pictures",
)
add_library(BENCHMARK)
BENCHMARK.option("--pictures", 120, small=4, help="pictures to read, in an order that does not depend on their names")
BENCHMARK.parser.add_argument("--only", default="", help="read with the engines whose name contains this")
BLANK_SIDE = 720  # pixels: about the size of memes drawn on them


@dataclass(frozen=True)
class Captioned:
    """A picture, its template and the words of its caption."""

    file: Path
    template: str
    caption: str


@dataclass(frozen=True)
class Score:
    """Word recall (share of the captions' words that were read) and precision (share of read words that are right)."""

    recall: float
    precision: float


def captioned_memes(library: Library) -> list[Captioned]:
    """Return the still memes that have a caption, ordered by a checksum of their names."""
    found = [
        Captioned(library.memes / path, library.templates[path], caption)
        for path, caption in library.captions.items()
        if caption and path.lower().endswith(STILL)
    ]
    return sorted(found, key=lambda one: zlib.crc32(one.file.name.encode()))


def words(text: str) -> Counter[str]:
    """Return a text's words and how often each occurs."""
    return Counter(re.findall(r"[^\W_]+", re.sub("['’]", "", text.casefold())))


def score(pairs: Iterable[tuple[str, str]]) -> Score:
    """Return the score over all words of (caption, what was read) pairs."""
    right = said = read = 0
    for caption, text in pairs:
        wanted, got = words(caption), words(text)
        right += (wanted & got).total()
        said += wanted.total()
        read += got.total()
    return Score(right / max(1, said), right / max(1, read))


def plain(**more: object) -> Any:
    """Return RapidOCR with its defaults, on one thread of ONNX Runtime; `more` overrides parameters."""
    return RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
        }
        | {f"{part}.engine_type": EngineType.ONNXRUNTIME for part in ("Det", "Cls", "Rec")}
        | more
    )


def as_it_comes() -> Reader:
    """Return RapidOCR with its defaults, also for spaces."""
    engine = plain()
    return lambda picture: " ".join(engine(np.asarray(picture)[:, :, ::-1]).txts or ())


def split_by_frequencies() -> Reader:
    """Return RapidOCR, its words of more than SPLIT_FROM letters split by how frequent their parts are."""
    if SymSpell is None:
        raise ModelUnavailable("symspellpy is not installed.", hint="Run `pip install 'memetica[benchmarks]'`.")
    read, parts = as_it_comes(), SymSpell(max_dictionary_edit_distance=0)
    parts.load_dictionary(
        str(resources.files("symspellpy") / "frequency_dictionary_en_82_765.txt"), 0, 1, encoding="utf-8-sig"
    )

    def split(word: str) -> str:
        if len(word) <= SPLIT_FROM or not word.isalpha():
            return word
        return str(parts.word_segmentation(word.lower()).segmented_string)

    return lambda picture: " ".join(map(split, read(picture).split()))


def in_tiles() -> Reader:
    """Return RapidOCR with our sizes, tiles and order, and its own spaces."""
    engine = RapidOcr(runtime=ONNX_RUNTIME)
    engine._engines.engine = plain(**{"Det.limit_side_len": 32})
    return reader_of(engine)


def reader_of(engine: OcrEngine) -> Reader:
    """Return an engine as the product uses it."""
    return lambda picture: engine.read(picture).text


READERS: dict[str, Callable[[], Reader]] = {
    "rapidocr as it comes": as_it_comes,
    "… long words split by frequencies": split_by_frequencies,
    "rapidocr, our sizes and tiles": in_tiles,
    "… spaces from gaps and frequencies": lambda: reader_of(RapidOcr(runtime=ONNX_RUNTIME)),
    "… run by OpenVINO": lambda: reader_of(RapidOcr(runtime=OPENVINO)),
    "tesseract as installed (psm 3)": lambda: reader_of(Tesseract(page=3)),
    "tesseract, one column (psm 4)": lambda: reader_of(Tesseract(page=4)),
    "tesseract, sparse text (psm 11)": lambda: reader_of(Tesseract(page=11)),
}


def own_words(templates: Iterable[str], read: Reader) -> dict[str, Counter[str]]:
    """Return the words that an engine reads on templates without a caption: posters, scales, subtitles."""
    found: dict[str, Counter[str]] = {}
    try:
        blank = shared("real_memes") / "templates"
    except Skipped:
        return found
    for template in templates:
        file = blank / f"{template}.jpg"
        if file.exists():
            with Image.open(file) as picture:
                scale = BLANK_SIDE / max(picture.size)
                found[template] = words(
                    read(picture.convert("RGB").resize([round(side * scale) for side in picture.size]))
                )
    return found


def interval(pairs: Sequence[tuple[str, str]], *, seed: int = 0) -> Score:
    """Return half the widths of the 95 % intervals of recall and precision, by resampling memes."""
    draw = np.random.default_rng(seed)
    drawn = [score([pairs[at] for at in draw.integers(len(pairs), size=len(pairs))]) for _ in range(RESAMPLES)]
    ends = [np.percentile([getattr(one, name) for one in drawn], (2.5, 97.5)) for name in ("recall", "precision")]
    return Score(*(float(high - low) / 2 for low, high in ends))


def measure(given: Namespace, report: Report) -> None:
    """Print a row for each engine and half."""
    library = library_of(given)
    every = captioned_memes(library)
    memes = every[: given.pictures]
    fitted = set(sorted({one.template for one in every})[::2])

    def in_report(one: Captioned) -> bool:
        return one.template not in fitted and is_held_out(one.template)

    columns = {"engine": "", "recall": ".3f", "precision": ".3f", "±": ".3f", "± ": ".3f", "pictures": "d"}
    table = report.table("words", {**columns, "processor s": ".2f", "waited s": ".2f"})
    for name, make in READERS.items():
        if given.only not in name:
            continue
        try:
            read = make()
        except ModelUnavailable as error:
            report.note(f"{name}: {error.message}")
            continue
        texts = {}
        read(Image.new("RGB", (64, 64)))
        began = time.process_time(), time.perf_counter()
        for one in memes:
            with Image.open(one.file) as picture:
                texts[one] = read(picture.convert("RGB"))
        spent, waited = time.process_time() - began[0], time.perf_counter() - began[1]
        for label in ("all", "held out"):
            pairs = [(one.caption, text) for one, text in texts.items() if label == "all" or in_report(one)]
            if not pairs:
                continue
            found, margin = score(pairs), interval(pairs)
            # Tesseract runs in processes of its own, whose time is not counted as ours.
            times = (spent / len(memes), waited / len(memes)) if label == "all" else (None, None)
            row = (found.recall, found.precision, margin.recall, margin.precision, len(pairs))
            table.row(f"{name}, {label}", *row, *times)
        own = own_words({one.template for one in memes}, read)
        if own:
            beyond = score(
                (
                    one.caption + " " + " ".join(((words(text) - words(one.caption)) & own[one.template]).elements()),
                    text,
                )
                for one, text in texts.items()
                if in_report(one) and one.template in own
            )
            table.row("… words of the template count as right", None, beyond.precision, *[None] * 5)


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
