"""Odd files, judged by Chromium and by our decoder: shown by both alike, refused by both, or not.

    python -m benchmarks.odd_files --seed 1 --files 160

Draws rare forms of each format, whole, cut short, with wrong bits or with a broken structure: PNGs of every depth,
interlaced, with one transparent color; APNGs; JPEGs cut between scans, CMYK, arithmetic; GIFs; WebPs; bitmaps of
Windows and OS/2; icons; AVIFs of several tiles, turned, transparent, of 10 and 12 bits, HDR; MP4s and WebMs. Others
have a rare structure: notes twice or late, frames laid over each other in every way, tables that lack or lie, films
turned, mirrored or without pictures, drawings (SVG), files of another type than they are sent as. Each is shown by a
headless Chromium, films by their first frame, animations by up to five, and decoded by `indexer.media.decode_file`.
`same` are those that both show in one size, their opaque pixels at most `--tolerance` levels of 255 apart on average:
Chromium spreads the transparency of AVIFs by up to 16 levels. What Chromium shows less than 1 % of is refused by it.
`--list` names those that are not the same; `--keep FOLDER` writes them there.
"""

from __future__ import annotations

import base64
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.browser import chromium
from benchmarks.harness import Benchmark, Report
from benchmarks.odd_media.drawing import FORMATS, draw_odd_files
from benchmarks.odd_media.scenes import OddFile
from indexer.media.decode_file import decode_file
from indexer.media.decoded import DecodedMedia
from indexer.media.raster import spread
from search.errors import UnreadableFile
from search.meme import MediaType

BENCHMARK = Benchmark(__doc__, needs="a Chromium on the PATH, or named in MEMETICA_CHROMIUM", takes="1 minute")
BENCHMARK.option("--seed", 1, help="seed of the files")
BENCHMARK.option("--files", 160, small=20, help="how many are drawn")
BENCHMARK.option("--tolerance", 8.0, help="levels of 255 by which pixels of both may differ on average")
BENCHMARK.parser.add_argument("--only", nargs="+", choices=tuple(FORMATS), help="the formats to judge; all by default")
BENCHMARK.parser.add_argument("--list", action="store_true", help="name the files that are not the same")
BENCHMARK.parser.add_argument("--keep", type=Path, metavar="FOLDER", help="write the files that are not the same there")

OUTCOMES = ("same", "refused by both", "by us alone", "by Chromium alone", "differ")
_LEAST_SHARE = 0.01  # of its pixels without which a file is not shown
_ADDRESS = "https://odd.test/"  # answered by the benchmark: frames can be decoded on a secure page alone
# The width, the height and the pixels (RGBA) of each of some frames of an animation, or else of what is shown at first;
# null where nothing is.
_PIXELS = """async ([kind, content, frames]) => {
    const bytes = Uint8Array.from(atob(content), letter => letter.charCodeAt(0));
    const pixels = (shown, width, height) => {
        if (!width || !height) return null;
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [width, height];
        const context = canvas.getContext("2d", {willReadFrequently: true});
        try { context.drawImage(shown, 0, 0); } catch { return null; }
        const data = context.getImageData(0, 0, width, height).data;
        let text = "";
        for (let at = 0; at < data.length; at += 0x8000) text += String.fromCharCode(...data.subarray(at, at + 0x8000));
        return [width, height, btoa(text)];
    };
    if (frames.length) {
        const decoder = new ImageDecoder({type: kind, data: bytes});
        const found = [];
        await decoder.tracks.ready;
        await decoder.completed;
        for (const frameIndex of frames) {
            if (frameIndex >= decoder.tracks.selectedTrack.frameCount) { found.push(null); continue; }
            const {image} = await decoder.decode({frameIndex});
            found.push(pixels(image, image.displayWidth, image.displayHeight));
            image.close();
        }
        return found;
    }
    const address = URL.createObjectURL(new Blob([bytes], {type: kind}));
    const film = kind.startsWith("video/");
    const shown = film ? document.createElement("video") : new Image();
    try {
        if (film) {
            shown.muted = true;
            shown.preload = "auto";
            const told = new Promise(resolve => {
                shown.addEventListener("loadeddata", () => resolve(true));
                shown.addEventListener("error", () => resolve(false));
                setTimeout(() => resolve(false), 9000);
            });
            shown.src = address;
            return await told ? [pixels(shown, shown.videoWidth, shown.videoHeight)] : [null];
        }
        shown.src = address;
        try { await shown.decode(); } catch { if (!shown.naturalWidth) return [null]; }
        return [pixels(shown, shown.naturalWidth, shown.naturalHeight)];
    } finally {
        URL.revokeObjectURL(address);
    }
}"""


@dataclass(frozen=True)
class Judged:
    """What became of a file: one of OUTCOMES, by how many levels both differ, and what we say about it."""

    outcome: str
    difference: float | None = None
    said: str = ""


def open_page(browser: Any) -> Any:
    """Return a page of a Playwright browser on which files can be judged."""
    page = browser.new_page()
    page.route(_ADDRESS, lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
    page.goto(_ADDRESS)
    return page


def judge(page: Any, file: OddFile, path: Path, *, tolerance: float) -> Judged:
    """Return how a file is shown in a page of Chromium and by us; its bytes are written to `path`."""
    path.write_bytes(file.data)
    (first,) = _shown(page, file)
    try:
        ours = decode_file(path, max_pixels=10**8, max_bytes=10**9)
    except UnreadableFile as error:
        seen = first is not None and (first[..., 3] > 0).mean() >= _LEAST_SHARE
        return Judged("by Chromium alone" if seen else "refused by both", None, error.message)
    # What is refused half-way is empty.
    blank = first is not None and not first.any() and (ours.damage or ours.type is not MediaType.GIF)
    if first is None or (blank and (ours.alpha is None or any(ours.alpha.getextrema()))):
        return Judged("by us alone", None, ours.damage)
    shown: list[np.ndarray | None] = [first]
    if ours.type is MediaType.GIF and not ours.damage:
        shown = _shown(page, file, frames=spread(ours.frames))
    height, width = first.shape[:2]
    if (ours.width, ours.height) != (width, height):
        return Judged("differ", None, f"{ours.width} × {ours.height}, in Chromium {width} × {height}")
    there = [one for one in shown if one is not None]
    if len(there) < len(shown):
        return Judged("differ", None, f"{ours.frames} frames, fewer in Chromium")
    if any(one.shape[1::-1] != picture.size for one, picture in zip(there, _pictures(ours), strict=False)):
        return Judged("differ", None, "frames of several sizes")
    difference = max(_difference(one, ours, place) for place, one in enumerate(there))
    return Judged("same" if difference <= tolerance else "differ", difference, ours.damage)


def _shown(page: Any, file: OddFile, *, frames: Sequence[int] = ()) -> list[np.ndarray | None]:
    """Return what a page shows of a file, or some frames of an animation ([height, width, 4]); None for what fails."""
    found = page.evaluate(_PIXELS, [file.content_type, base64.b64encode(file.data).decode(), list(frames)])
    return [None if one is None else _unpacked(*one) for one in found]


def _unpacked(width: int, height: int, packed: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed), np.uint8).reshape(height, width, 4)


def _pictures(ours: DecodedMedia) -> list[Image.Image]:
    """Return what we show, a drawing at the size that it tells."""
    size = (ours.width, ours.height)
    return [one.resize(size, Image.Resampling.BOX) if ours.codec == "svg" else one for one in ours.pictures]


def _difference(shown: np.ndarray, ours: DecodedMedia, place: int) -> float:
    """Return the mean difference of the colors where both are opaque, or of the transparency if that is larger."""
    picture = np.asarray(_pictures(ours)[place], np.float64)
    alpha = np.full(picture.shape[:2], 255.0) if ours.alpha is None else np.asarray(ours.alpha, np.float64)
    theirs = shown[..., 3].astype(np.float64)
    if ours.alpha is None:
        # An animation's frames, and rows that are missing, lie on white.
        over = shown[..., :3] * (theirs[..., None] / 255) + 255 - theirs[..., None]
        return float(np.abs(over - picture).mean())
    opaque = (alpha > 250) & (theirs > 250)
    colors = float(np.abs(shown[..., :3].astype(np.float64) - picture)[opaque].mean()) if opaque.any() else 0.0
    return max(colors, float(np.abs(theirs - alpha).mean()))


def measure(given: Namespace, report: Report) -> None:
    """Print how many files of each format have each outcome."""
    found: dict[str, Counter[str]] = {form: Counter() for form in FORMATS}
    rest: list[tuple[OddFile, Judged]] = []
    with chromium() as browser, TemporaryDirectory() as folder:
        page = open_page(browser)
        for form, file in draw_odd_files(given.seed, given.files, formats=given.only or FORMATS):
            judged = judge(page, file, Path(folder) / "x", tolerance=given.tolerance)
            found[form][judged.outcome] += 1
            if judged.outcome not in OUTCOMES[:2]:
                rest.append((file, judged))
    table = report.table("odd files", {"format": "", "files": ",d"} | dict.fromkeys(OUTCOMES, ",d"))
    for form in (*FORMATS, "all"):
        counts = sum(found.values(), Counter()) if form == "all" else found[form]
        if counts:
            table.row(form, counts.total(), *(counts[outcome] for outcome in OUTCOMES))
    for number, (file, judged) in enumerate(rest):
        if given.list:
            by = "" if judged.difference is None else f" by {judged.difference:.1f} levels"
            report.note(f"{number:3} {judged.outcome}{by}: {file.name}{judged.said and f' ({judged.said})'}")
        if given.keep:
            given.keep.mkdir(parents=True, exist_ok=True)
            ending = file.content_type.partition("/")[2]
            (given.keep / f"{number:03}.{ending}").write_bytes(file.data)


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
