"""OCR: what engines give, how frames are joined, what is said when an engine cannot be had."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from indexer.ocr.engines import (
    Line,
    RapidOcr,
    Reading,
    Tesseract,
    _SpacedDecoder,
    load_ocr_engine,
    quality_of,
    read_frames,
    reading_of,
    tiles,
)
from search.encoders.runtimes import ONNX_RUNTIME, OPENVINO, OpenVino, has_openvino
from search.errors import ModelUnavailable, UnreadableFile, WrongUse
from search.settings import Settings

BOX = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.2), (0.1, 0.2))


class Scripted:
    """An engine that reads the lines that it was given for each frame in turn."""

    name = "scripted-1"

    def __init__(self, *frames: list[tuple[str, float]]) -> None:
        self._frames = iter(frames)

    def read(self, picture: Image.Image) -> Reading:
        return reading_of(Line(text, confidence, BOX) for text, confidence in next(self._frames))


def frames(count: int) -> list[Image.Image]:
    return [Image.new("RGB", (8, 8)) for _ in range(count)]


def test_a_line_that_stays_through_frames_is_said_once_in_its_clearest_reading():
    engine = Scripted(
        [("WHEN YOU WAIT", 0.8), ("for the Bus", 0.5)], [("when you wait!", 0.9), ("and it comes", 0.7)], []
    )
    reading = read_frames(engine, frames(3))
    assert [(line.text, line.confidence) for line in reading.lines] == [
        ("when you wait!", 0.9),
        ("for the Bus", 0.5),
        ("and it comes", 0.7),
    ]
    assert reading.text == "when you wait!\nfor the Bus\nand it comes"


def test_one_frame_is_read_as_it_is():
    reading = read_frames(Scripted([("HA", 0.9), ("HA", 0.9)]), frames(1))
    assert reading.text == "HA\nHA"


def test_no_frames_are_no_text():
    assert read_frames(Scripted(), []) == Reading("", (), 0.0)


def test_quality_is_confidence_where_all_words_are_known_and_half_of_it_where_none_is():
    assert quality_of([Line("this is fine", 0.8, BOX)]) == 0.8
    assert quality_of([Line("xqzrt vbnmk", 0.8, BOX)]) == 0.4
    assert quality_of([]) == 0.0


@pytest.mark.parametrize("text", ["123 !!!", "猫が寝ている", "Кот спит"])
def test_quality_of_what_no_english_dictionary_judges_is_between_nothing_and_confidence(text):
    assert 0 < quality_of([Line(text, 0.8, BOX)]) <= 0.8


def test_none_is_no_engine_and_an_unknown_one_is_named():
    assert load_ocr_engine(Settings(ocr_engine="none")) is None
    with pytest.raises(WrongUse, match="'easyocr'") as raised:
        load_ocr_engine(Settings(ocr_engine="easyocr"))
    assert "tesseract" in raised.value.hint


CLASSES = ["", "A", "B", "C", "T", " "]  # the first is "no letter"


def steps(*wins: tuple[str, float, float]) -> np.ndarray:
    """Return the recogniser's answer to a line: at each step the class that wins, its share, and that of "space"."""
    shares = np.zeros((1, len(wins), len(CLASSES)), np.float32)
    for step, (text, share, space) in enumerate(wins):
        shares[0, step, CLASSES.index(" ")] = space
        shares[0, step, CLASSES.index(text)] = share
    return shares


def test_a_space_that_lost_by_a_little_is_put_back_and_one_that_lost_by_far_is_not():
    lost = steps(("A", 0.9, 0), ("", 0.7, 0.3), ("C", 0.9, 0), ("A", 0.8, 0), ("", 0.99, 1e-5), ("T", 1.0, 0))
    (found,), _ = _SpacedDecoder(CLASSES)(lost)
    assert found == ("A CAT", pytest.approx(0.9))


def test_a_letter_is_read_once_for_as_long_as_it_lasts_and_twice_when_interrupted():
    doubled = steps(("A", 0.9, 0), ("A", 0.9, 0), ("B", 0.9, 0), ("", 0.9, 0), ("B", 0.9, 0), (" ", 0.9, 0.9))
    (found,), _ = _SpacedDecoder(CLASSES)(doubled)
    assert found[0] == "ABB"
    assert _SpacedDecoder(CLASSES)(steps(("", 1.0, 0)))[0] == [("", 0.0)]


def drawn(lines: list[str], *, size: tuple[int, int] = (480, 360), spacing: int = 10) -> Image.Image:
    """Return a picture with lines of tight capitals, as memes have them."""
    picture = Image.new("RGB", size, (70, 110, 90))
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(34)
    top = spacing
    for line in lines:
        left = (size[0] - draw.textlength(line, font)) / 2
        draw.text((left, top), line, "white", font, stroke_width=2, stroke_fill="black")
        top += 34 + spacing
    return picture


@pytest.fixture(scope="module")
def rapidocr() -> RapidOcr:
    return RapidOcr()


@pytest.mark.real_models
def test_rapidocr_reads_a_caption_with_its_spaces_and_where_it_stands(rapidocr):
    reading = rapidocr.read(drawn(["ONE DOES NOT SIMPLY", "HAVE A QUIET MONDAY"]))
    assert reading.text == "ONE DOES NOT SIMPLY\nHAVE A QUIET MONDAY"
    assert reading.quality > 0.8
    (left, top), (right, _), (_, bottom), _ = reading.lines[1].box
    assert 0 < left < 0.25 and 0.75 < right < 1 and 0.1 < top < bottom < 0.3


@pytest.mark.real_models
@pytest.mark.skipif(not has_openvino(), reason="OpenVINO is not installed")
def test_both_runtimes_read_the_same_words_at_the_same_places():
    picture = drawn(["ONE DOES NOT SIMPLY", "HAVE A QUIET MONDAY"])
    readings = [RapidOcr(runtime=runtime).read(picture) for runtime in (OPENVINO, ONNX_RUNTIME)]
    assert readings[0].text == readings[1].text == "ONE DOES NOT SIMPLY\nHAVE A QUIET MONDAY"
    boxes = [np.array([line.box for line in reading.lines]) for reading in readings]
    assert np.abs(boxes[0] - boxes[1]).max() < 0.02


def test_openvino_runs_rapidocr_where_it_is_installed_and_onnx_runtime_elsewhere(monkeypatch):
    for installed, runtime in ((True, OPENVINO), (False, ONNX_RUNTIME)):
        monkeypatch.setattr("indexer.ocr.engines.has_openvino", lambda installed=installed: installed)
        assert RapidOcr().runtime == runtime


def test_a_runtime_that_cannot_start_is_the_engines_failure_and_no_pictures():
    with pytest.raises(ModelUnavailable, match="cannot be started with abacus") as raised:
        RapidOcr(runtime="abacus").read(Image.new("RGB", (300, 200)))
    assert "tesseract" in raised.value.hint


@pytest.mark.real_models
@pytest.mark.parametrize("part", ["OCR", "encoder"])
def test_the_first_inferences_of_threads_by_openvino_come_one_after_another(part, monkeypatch):
    """Two at once waited for each other for ever: one with Python's lock, one with that of a table in OpenVINO."""
    busy, most = 0, 0

    def first(*_: object) -> list[np.ndarray]:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        time.sleep(0.02)
        busy -= 1
        return [np.zeros(1, np.float32)]

    monkeypatch.setattr("indexer.ocr.engines._rapidocr", first)
    model = SimpleNamespace(create_infer_request=lambda: SimpleNamespace(infer=first))
    encoder = OpenVino(model, threading.local())
    ocr = RapidOcr(runtime=OPENVINO)
    with ThreadPoolExecutor(4) as pool:
        barrier = threading.Barrier(4)

        def start(_: int) -> None:
            barrier.wait()
            encoder.run({}) if part == "encoder" else ocr._engine()

        list(pool.map(start, range(4)))
    assert most == 1


def test_rapidocr_finds_nothing_on_an_empty_picture_of_any_mode_and_size(rapidocr):
    for picture in (Image.new("RGB", (300, 200), "white"), Image.new("L", (40, 900)), Image.new("P", (1, 1))):
        assert rapidocr.read(picture) == Reading("", (), 0.0)


@pytest.mark.real_models
def test_rapidocr_says_which_version_read(rapidocr):
    assert rapidocr.name.startswith("rapidocr-3.") and rapidocr.name.endswith("+spaces-2")


def fake_tesseract(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a command called `tesseract` at the head of the path."""
    command = folder / "tesseract"
    command.write_text(
        f'#!/bin/sh\nif [ "$1" = --version ]; then echo "tesseract 5.3.0"; exit; fi\n{script}\n', "utf-8"
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


TABLE = (
    "level page_num block_num par_num line_num word_num left top width height conf text",
    "1 1 0 0 0 0 0 0 200 100 -1 ",
    "5 1 1 1 1 1 20 10 40 10 90.0 THIS",
    '5 1 1 1 1 2 70 12 30 10 70.0 "IS',
    "5 1 1 1 2 1 20 50 60 20 40.0 FINE",
)


def test_tesseracts_table_becomes_lines_with_boxes_in_shares(tmp_path, monkeypatch):
    (tmp_path / "table").write_text("".join("\t".join(row.split(" ")) + "\n" for row in TABLE), "utf-8")
    fake_tesseract(tmp_path, monkeypatch, f'test "$OMP_THREAD_LIMIT" = 1 && cat > /dev/null && cat "{tmp_path}/table"')
    engine = Tesseract()
    assert engine.name == "tesseract-5.3.0+psm11"
    reading = engine.read(Image.new("RGB", (200, 100)))
    assert reading.lines == (
        Line('THIS "IS', 0.8, ((0.1, 0.1), (0.5, 0.1), (0.5, 0.22), (0.1, 0.22))),
        Line("FINE", 0.4, ((0.1, 0.5), (0.4, 0.5), (0.4, 0.7), (0.1, 0.7))),
    )


def test_a_tesseract_that_fails_on_a_picture_is_that_pictures_failure(tmp_path, monkeypatch):
    fake_tesseract(tmp_path, monkeypatch, "echo broken >&2; exit 3")
    with pytest.raises(UnreadableFile, match="tesseract"):
        Tesseract().read(Image.new("RGB", (20, 20)))


def test_a_missing_tesseract_is_named_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ModelUnavailable, match="not installed") as raised:
        load_ocr_engine(Settings(ocr_engine="tesseract"))
    assert "rapidocr" in raised.value.hint


@pytest.mark.real_models
@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
def test_the_installed_tesseract_reads_black_on_white():
    said = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True, check=False).stdout
    if "eng" not in said.split():
        pytest.skip("tesseract has no English")
    picture = Image.new("RGB", (480, 120), "white")
    ImageDraw.Draw(picture).text((20, 30), "This is fine", "black", ImageFont.load_default(40))
    assert Tesseract().read(picture).text == "This is fine"


@pytest.mark.parametrize("size", [(1, 1), (1600, 1600), (1601, 40), (1080, 9000), (5000, 4000)])
def test_each_point_of_a_picture_is_one_tiles_own_and_no_tile_is_too_large(size):
    owners = np.zeros((size[1], size[0]), np.uint8)
    for tile in tiles(size):
        left, top, right, bottom = tile.own
        owners[top:bottom, left:right] += 1
        assert tile.read[0] <= left and tile.read[1] <= top and tile.read[2] >= right and tile.read[3] >= bottom
        assert tile.read[2] - tile.read[0] <= 1600 and tile.read[3] - tile.read[1] <= 1600
    assert (owners == 1).all()


@pytest.mark.real_models
def test_a_tall_screenshot_is_read_to_its_end_and_nothing_twice(rapidocr):
    picture = Image.new("RGB", (400, 4000), "white")
    draw = ImageDraw.Draw(picture)
    words = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"]
    for at, word in enumerate(words):
        draw.text((40, 60 + at * 550), f"The {word} answer", "black", ImageFont.load_default(22))
    assert rapidocr.read(picture).text.split("\n") == [f"The {word} answer" for word in words]


@pytest.mark.parametrize(
    "text",
    [
        "我真的很喜欢猫",
        "ラーメンが食べたい",
        "고양이가 잔다",
        "ฉันรักแมวมาก",
        "мой кот говорит",
        "η γάτα μου",
        "القطة في البيت",
        "החתול שלי ישן",
        "मेरी बिल्ली सोती है",
        "không thể tin được",
        "mój kot śpi długo",
        "Das ist nicht mein Kaffee",
    ],
)
def test_a_clean_reading_of_any_script_is_as_good_as_its_confidence(text: str) -> None:
    assert quality_of([Line(text, 0.8, BOX)]) == 0.8


@pytest.mark.parametrize(
    "text",
    [
        "Пpивeт",  # Latin letters among Cyrillic ones
        "п р и в е т",  # single letters in a row
        "\ufffd\ufffd\ufffd",
        "xqzt 日 vbnm",  # a lone ideograph in a text of Latin letters
    ],
)
def test_what_no_script_writes_is_read_badly(text: str) -> None:
    assert quality_of([Line(text, 0.8, BOX)]) < 0.5
