"""Hostile files are decoded within limits, in a process of their own; honest ones as if they were decoded here."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pytest
from PIL import Image

from indexer.media import decode_process
from indexer.media.decode import BACKGROUND, LIBRARY, REQUEST, DecodeLimits, decode, decoders, sanitized_svg
from indexer.media.decode_file import decode_file
from indexer.media.raster import MAX_SCANS, WORKING_PIXELS, working_picture
from indexer.media.svg import sanitize_svg
from indexer.work.process_pool import ProcessDied, ProcessPool, Reply, TaskTimedOut
from search.errors import MemeticaError, TooBusy, UnreadableFile
from tests.support.hostile_pictures import KINDS, SVG
from tests.support.tiny import draw_tiny_library
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.slow

MAKE = {kind.name: kind.make for kind in KINDS}
SHORT = replace(REQUEST, seconds=1.0)
MOST = {"max_pixels": 100_000_000, "max_bytes": 1_000_000_000}


def written(folder: Path, name: str) -> Path:
    file = folder / name
    file.write_bytes(MAKE[name]())
    return file


def refusal(file: Path, limits: DecodeLimits = LIBRARY) -> str:
    with pytest.raises(UnreadableFile) as caught:
        decode(file, **MOST, limits=limits)
    assert caught.value.hint
    return caught.value.message


def test_a_library_is_decoded_in_processes_to_the_same_pictures_and_facts(tmp_path: Path) -> None:
    draw_tiny_library(tmp_path)
    files = [file for file in sorted(tmp_path.rglob("*")) if file.suffix in (".png", ".jpg", ".gif", ".webp", ".svg")]
    assert len(files) > 3
    for file in files:
        try:
            expected = decode_file(file, **MOST)
        except UnreadableFile as error:
            assert refusal(file) == error.message
            continue
        found = decode(file, **MOST)
        assert [np.asarray(one).tolist() for one in found.pictures] == [
            np.asarray(one).tolist() for one in expected.pictures
        ]
        assert replace(found, pictures=()) == replace(expected, pictures=())


def test_pictures_are_made_no_larger_than_asked(tmp_path: Path) -> None:
    Image.new("RGB", (900, 300), "red").save(tmp_path / "x.png")
    decoded = decode(tmp_path / "x.png", **MOST, side=90)
    assert (decoded.width, decoded.height, decoded.pictures[0].size) == (900, 300, (90, 30))


@pytest.mark.parametrize(
    ("suffix", "mode", "size", "shown"),
    [
        ("jpg", "RGB", (720, 540), (180, 135)),  # a quarter, by libjpeg
        ("jpg", "RGB", (1024, 1024), (128, 128)),
        ("png", "RGBA", (640, 479), (214, 160)),
        ("png", "RGB", (1000, 150), (1000, 150)),
        ("gif", "P", (300, 300), (150, 150)),
    ],
)
def test_pictures_for_a_model_are_a_fraction_of_the_file_and_not_below_its_side(
    tmp_path: Path, suffix: str, mode: str, size: tuple[int, int], shown: tuple[int, int]
) -> None:
    picture = Image.linear_gradient("L").resize(size).convert(mode)
    if mode == "RGBA":
        picture.putalpha(picture.getchannel("R"))
    picture.save(tmp_path / f"meme.{suffix}")
    found = decode(tmp_path / f"meme.{suffix}", **MOST, least_side=120)
    whole = decode(tmp_path / f"meme.{suffix}", **MOST)
    assert (found.width, found.height) == (whole.width, whole.height) == size
    assert min(found.pictures[0].size) >= 120
    assert found.pictures[0].size == shown
    assert (found.alpha is None) == (whole.alpha is None) and (found.alpha is None or found.alpha.size == shown)
    again = np.asarray(whole.pictures[0].resize(shown, Image.Resampling.BOX), int)
    assert np.abs(np.asarray(found.pictures[0], int) - again).mean() < 3


def test_a_file_whose_name_is_no_text_is_decoded(tmp_path: Path) -> None:
    file = Path(os.fsdecode(bytes(tmp_path) + b"/\xff\xe9.png"))
    Image.new("RGB", (9, 9), "red").save(tmp_path / "x.png")
    (tmp_path / "x.png").rename(file)
    assert decode(file, **MOST).width == 9


def test_a_drawing_without_end_is_stopped_at_the_deadline_and_says_so(tmp_path: Path) -> None:
    limits = replace(LIBRARY, seconds=1.0)
    file = written(tmp_path, "svg-blur-15-rects")
    before = monotonic()
    assert refusal(file, limits) == "Decoding or drawing it took longer than 1 seconds."
    assert monotonic() - before < PATIENCE


def test_other_threads_run_while_a_drawing_holds_the_renderer(tmp_path: Path) -> None:
    file = written(tmp_path, "svg-blur-15-rects")
    thread = threading.Thread(target=lambda: refusal(file, replace(LIBRARY, seconds=2.0)))
    thread.start()
    turns = 0
    while thread.is_alive():
        turns += 1
        thread.join(0.01)
    assert turns > 1  # with Python's lock held, the first would last until the drawing ends


@pytest.mark.parametrize(
    "name",
    ["png-65535", "bmp-2-billion", "gif-65535", "jpeg-65500", "svg-use-bomb", "svg-entities", "other-psd", "mp4-boxes"],
)
def test_a_hostile_file_is_refused_in_a_sentence_before_it_costs_anything(tmp_path: Path, name: str) -> None:
    assert refusal(written(tmp_path, name), BACKGROUND).endswith(".")


def test_a_jpeg_with_endless_scans_is_refused_and_one_with_a_film_behind_it_is_not(tmp_path: Path) -> None:
    file = tmp_path / "x.jpg"
    Image.new("L", (500, 500), 90).save(file, progressive=True)
    plain = file.read_bytes()
    last = plain[plain.rindex(b"\xff\xda") : -2]
    file.write_bytes(plain[:-2] + last * MAX_SCANS + b"\xff\xd9")
    assert refusal(file) == f"The JPEG has more than {MAX_SCANS} scans, each over the whole picture."
    file.write_bytes(plain[:-2] + last * 50 + b"\xff\xd9" + b"\xff\xda" * 1000)  # phones append a film
    assert decode(file, **MOST).width == 500
    comment = b"\xff\xfe" + (2002).to_bytes(2, "big") + b"\xff\xda" * 1000
    file.write_bytes(plain[:2] + comment + plain[2:])
    assert decode(file, **MOST).width == 500


def test_too_much_memory_is_a_sentence(tmp_path: Path) -> None:
    Image.new("RGB", (9000, 9000)).save(tmp_path / "x.png", compress_level=1)
    message = refusal(tmp_path / "x.png", replace(LIBRARY, megabytes=100))
    assert "memory" in message
    assert decode(tmp_path / "x.png", **MOST).width == 9000


def test_more_files_than_may_be_decoded_at_once_are_told_to_come_again(tmp_path: Path) -> None:
    limits = replace(REQUEST, seconds=60.0, at_once=1, wait_seconds=0.2)
    Image.new("RGB", (30, 20), "red").save(tmp_path / "red.png")
    with decoders().gate(limits), pytest.raises(TooBusy) as busy:
        decode(tmp_path / "red.png", **MOST, limits=limits)
    assert (busy.value.status, busy.value.retry_after) == (503, 3)
    assert decode(tmp_path / "red.png", **MOST, limits=limits).width == 30


def test_an_svg_that_is_shown_is_the_same_when_it_is_sanitized_in_a_process() -> None:
    data = (SVG + '<script>alert(1)</script><rect width="9" height="9"/></svg>').encode()
    assert sanitized_svg(data) == sanitize_svg(data)
    assert b"alert" not in sanitized_svg(data)


@pytest.mark.parametrize("mode", ["I;16", "I", "P", "RGBA", "LA", "1", "L", "RGB", "CMYK"])
def test_a_very_large_picture_is_reduced_to_what_its_halves_show(mode: str) -> None:
    side = 2 * int(WORKING_PIXELS**0.5) + 2
    gray = Image.new("L", (side, side), 40)
    gray.paste(200, (0, side // 2, side, side))
    if mode.startswith("I"):
        picture = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
        picture = picture if mode == "I;16" else picture.convert("I")
    elif mode == "1":
        picture = gray.point(lambda value: 255 if value > 100 else 0).convert("1")
    else:
        picture = gray.convert(mode)
    found = working_picture(picture)
    assert found.mode == "RGB"
    assert found.width * found.height <= WORKING_PIXELS * 1.01
    dark, bright = (0, 255) if mode == "1" else (40, 200)
    middle = found.width // 2
    for line, expected in ((found.height // 4, dark), (3 * found.height // 4, bright)):
        assert found.getpixel((middle, line)) == pytest.approx((expected,) * 3, abs=3)


STOPPED = TaskTimedOut(cpu_seconds=0.1)  # while the machine stood still, or others had the processor


@pytest.mark.parametrize(
    ("limits", "ended", "refused"),
    [
        (LIBRARY, ProcessDied("exit status -9"), None),
        (LIBRARY, STOPPED, None),
        (BACKGROUND, STOPPED, None),
        (LIBRARY, TaskTimedOut(cpu_seconds=59.0), UnreadableFile),
        (REQUEST, ProcessDied("exit status -9"), UnreadableFile),
        (REQUEST, STOPPED, TooBusy),
    ],
    ids=["killed", "stopped", "stopped in the background", "endless", "killed in a request", "stopped in a request"],
)
def test_a_process_that_others_kill_or_hold_up_makes_no_file_of_the_library_unreadable(
    limits: DecodeLimits,
    ended: Exception,
    refused: type[MemeticaError] | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, tries = ProcessPool.run, []

    def ended_first(pool: ProcessPool, task: dict[str, Any], **limits: Any) -> Reply:
        tries.append(task)
        if len(tries) == 1:
            raise ended
        return run(pool, task, **limits)

    monkeypatch.setattr(ProcessPool, "run", ended_first)
    Image.new("RGB", (30, 20), "red").save(tmp_path / "red.png")
    if refused is None:
        assert decode(tmp_path / "red.png", max_pixels=1000, max_bytes=1000, limits=limits).width == 30
    else:
        with pytest.raises(refused):
            decode(tmp_path / "red.png", max_pixels=1000, max_bytes=1000, limits=limits)


@pytest.mark.parametrize("where", ["decode_file", "_decoded", "sanitize_svg"])
def test_memory_that_runs_out_anywhere_is_a_limit_and_no_mistake(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: Any, **__: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(decode_process, where, exhausted)
    file = tmp_path / "red.png"
    Image.new("RGB", (30, 20), "red").save(file)
    task = {"work": "sanitize" if where == "sanitize_svg" else "decode", "file": os.fsencode(file).hex()}
    head, _ = decode_process.work(
        task | {"max_pixels": 1000, "max_bytes": 1000, "effort": 1.0, "side": 10, "least_side": None}
    )
    assert "memory" in head["message"] and "mistake" not in head
