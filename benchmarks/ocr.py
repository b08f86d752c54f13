"""How much of the captions each OCR engine reads: word recall and precision on memes whose captions are known.

    python ../shared/cm50/build_library.py LIBRARY
    python -m benchmarks.ocr LIBRARY --memes 300

A word counts once for each time that it stands in both; case and apostrophes do not count. Half of the templates, every
second one by name, served to fit `indexer.ocr.word_spacing`; the other half is the report.

Some pictures say something before anybody writes on them. Where a template is known without its caption, what the same
engine reads on that is told apart: it stands there, and no caption has it.
"""

from __future__ import annotations

import argparse
import json
import re
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rapidocr import EngineType, RapidOCR
from symspellpy import SymSpell

from benchmarks.machine import machine
from indexer.ocr.engines import OcrEngine, RapidOcr, Tesseract
from search.encoders.runtimes import ONNX_RUNTIME, OPENVINO
from search.errors import ModelUnavailable

Reader = Callable[[Image.Image], str]
SPLIT_FROM = 7  # letters
RESAMPLES = 400
BLANK = Path(__file__).parents[2] / "shared" / "real_memes" / "templates"
BLANK_SIDE = 720  # pixels: about as large as memes are drawn from them


@dataclass(frozen=True)
class Captioned:
    """A picture, its template and the words of its caption."""

    file: Path
    template: str
    caption: str


@dataclass(frozen=True)
class Score:
    """Shares of words: of the captions' that were read, and of those read that stand in the captions."""

    recall: float
    precision: float


def captioned_memes(library: Path) -> list[Captioned]:
    """Return the memes of a rendered library in an order that has nothing to do with their names or templates."""
    truth = json.loads((library / "truth.json").read_text("utf-8"))
    rows = truth["memes"] if "memes" in truth else truth.values()
    found = [
        Captioned(library / one["path"], one["template"], " ".join(one.get("boxes") or one.get("caption") or ()))
        for one in rows
    ]
    return sorted(found, key=lambda one: zlib.crc32(one.file.name.encode()))


def words(text: str) -> Counter[str]:
    """Return a text's words and how often each stands there."""
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
    """Return RapidOCR as it comes, on one thread of ONNX Runtime, but for what else is told."""
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
    """Return RapidOCR with its own spaces."""
    engine = plain()
    return lambda picture: " ".join(engine(np.asarray(picture)[:, :, ::-1]).txts or ())


def split_by_frequencies() -> Reader:
    """Return RapidOCR, its words of more than SPLIT_FROM letters split by how frequent their parts are."""
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
    """Return the words that an engine reads on templates without a caption: posters, scales, what a film says."""
    found = {}
    for template in templates:
        file = BLANK / f"{template}.jpg"
        if file.exists():
            with Image.open(file) as picture:
                scale = BLANK_SIDE / max(picture.size)
                found[template] = words(
                    read(picture.convert("RGB").resize([round(side * scale) for side in picture.size]))
                )
    return found


def interval(pairs: Sequence[tuple[str, str]], *, seed: int = 0) -> Score:
    """Return half the width of the 95 % intervals of recall and precision, by memes drawn again and again."""
    draw = np.random.default_rng(seed)
    drawn = [score([pairs[at] for at in draw.integers(len(pairs), size=len(pairs))]) for _ in range(RESAMPLES)]
    ends = [np.percentile([getattr(one, name) for one in drawn], (2.5, 97.5)) for name in ("recall", "precision")]
    return Score(*(float(high - low) / 2 for low, high in ends))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path)
    parser.add_argument("--memes", type=int, default=300)
    parser.add_argument("--only", default="", help="read with the engines whose name has this in it")
    given = parser.parse_args()
    memes = captioned_memes(given.library)[: given.memes]
    fitted = set(sorted({one.template for one in captioned_memes(given.library)})[::2])
    print(f"{machine()}; {len(memes)} memes, {sum(one.template not in fitted for one in memes)} of them in the report")
    print(f"{'':38} {'fitted half':>28} {'report':>28}   processor s a picture")
    for name, make in READERS.items():
        if given.only not in name:
            continue
        try:
            read = make()
        except ModelUnavailable as error:
            print(f"{name:38} {error.message}")
            continue
        texts = {}
        read(Image.new("RGB", (64, 64)))
        began = time.process_time(), time.perf_counter()
        for one in memes:
            with Image.open(one.file) as picture:
                texts[one] = read(picture.convert("RGB"))
        spent, waited = time.process_time() - began[0], time.perf_counter() - began[1]
        halves = [
            [(one.caption, text) for one, text in texts.items() if (one.template in fitted) is half]
            for half in (True, False)
        ]
        own = own_words({one.template for one in memes}, read)
        beyond = score(
            (one.caption + " " + " ".join(((words(text) - words(one.caption)) & own[one.template]).elements()), text)
            for one, text in texts.items()
            if one.template not in fitted and one.template in own
        )
        cells = ""
        for half in halves:
            found, give = score(half), interval(half)
            cells += f"  {found.recall:.3f}/{found.precision:.3f} ± {give.recall:.3f}/{give.precision:.3f}"
        # Tesseract runs in processes of its own, whose time is not ours.
        print(f"{name:38} {cells}  {spent / len(memes):.2f} (waited {waited / len(memes):.2f})", flush=True)
        if own:
            said = "report, words of the template itself taken as right: precision"
            print(f"{'':38} {said} {beyond.precision:.3f}", flush=True)


if __name__ == "__main__":
    main()
