"""Which of two animations is proposed to be kept where one was made from the other, by how it was made.

    python -m benchmarks.animations real_memes --pairs 60 --seeds 3

Draws animations of a second or two from the templates of real_memes with a caption, moved, zoomed or with moving
shapes, writes the source as a GIF, an animated WebP or a film, and makes a copy of what that shows in another format,
of the same size. Each pair is asked for once, with equal dates. `found` is the share of the pairs that are duplicates,
`decided` the share of these in which something tells which to keep, `right` the share of those where it is the source,
or where both show the very same pixels.
"""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import av
from PIL import Image, ImageDraw, ImageEnhance

from benchmarks.data import shared
from benchmarks.harness import Benchmark, Report
from indexer.media.decode_file import decode_file
from indexer.media.decoded import DecodedMedia
from indexer.stages.find_duplicates import moving_of
from search.duplicates.compare_frames import compare_frames
from search.duplicates.comparison import prepare
from search.duplicates.groups import Member
from search.duplicates.keep_rule import choose_kept
from search.duplicates.origin.animations import with_animation_traces
from search.meme import Meme

Frames = list[Image.Image]

BENCHMARK = Benchmark(__doc__, needs="real_memes", takes="1 s a pair")
BENCHMARK.option("--pairs", 60, small=8, help="pairs of each seed")
BENCHMARK.option("--seeds", [1], nargs="+", type=int, help="seeds of the animations")


def drawn_frames(random: Random, templates: Sequence[Path]) -> Frames:
    """Return the frames of an animation."""
    template = Image.open(random.choice(templates)).convert("RGB")
    width, height = random.choice(((320, 240), (240, 240), (360, 202), (200, 300)))
    count, way = random.randint(8, 16), random.choice(("moved", "zoomed", "shapes", "shapes"))
    words = random.choice(("WHEN IT WORKS", "me on monday", "NOBODY:", "that feeling", ""))
    pale = random.choice((1.0, 1.0, 0.6, 0.25))  # how colorful it is
    flat = way == "shapes" and random.random() < 0.4
    ground = Image.new("RGB", (width, height), tuple(random.randrange(256) for _ in range(3))) if flat else None
    shapes = [
        (
            [random.randrange(width), random.randrange(height), random.randint(-9, 9), random.randint(-9, 9)],
            random.randint(10, 60),
            tuple(random.randrange(256) for _ in range(3)),
        )
        for _ in range(random.randint(2, 5))
    ]
    frames = []
    for number in range(count):
        share = number / count
        if ground is not None:
            shown = ground.copy()
        elif way == "shapes":
            shown = template.resize((width, height), Image.Resampling.LANCZOS)
        else:
            scale = 1.4 if way == "moved" else 1.1 + 0.5 * share
            large = template.resize((int(width * scale), int(height * scale)), Image.Resampling.LANCZOS)
            left = int((large.width - width) * (share if way == "moved" else 0.5))
            shown = large.crop((left, 10, left + width, 10 + height))
        draw = ImageDraw.Draw(shown)
        if way == "shapes":
            for (x, y, right, down), size, color in shapes:
                at = x + right * number, y + down * number
                draw.ellipse((*at, at[0] + size, at[1] + size), fill=color)
        font_size = height // 10
        draw.text(
            (width // 12, height - 2 * font_size),
            words,
            fill="white",
            stroke_width=2,
            stroke_fill="black",
            font_size=font_size,
        )
        frames.append(ImageEnhance.Color(shown).enhance(pale))
    return frames


def write_gif(random: Random, frames: Frames, file: Path) -> None:
    """Write a GIF as FFmpeg does, or with a palette for each frame or one for all, dithered or not."""
    if random.random() < 0.5:
        named = random.choice(("sierra2_4a", "bayer:bayer_scale=3", "floyd_steinberg", "none"))
        few = _by_ffmpeg(frames, colors=random.choice((256, 256, 128)), dither=named)
        few[0].save(file, "GIF", save_all=True, append_images=few[1:], duration=100, loop=0, optimize=False)
        return
    colors = random.choice((256, 256, 128, 64))
    dither = random.choice((Image.Dither.FLOYDSTEINBERG, Image.Dither.FLOYDSTEINBERG, Image.Dither.NONE))
    one_palette = random.random() < 0.5
    if one_palette:
        joined = Image.new("RGB", (frames[0].width, frames[0].height * len(frames)))
        for number, frame in enumerate(frames):
            joined.paste(frame, (0, number * frame.height))
        palette = joined.quantize(colors, method=Image.Quantize.MEDIANCUT)
    few = [
        frame.quantize(palette=palette if one_palette else frame.quantize(colors), dither=dither) for frame in frames
    ]
    few[0].save(file, "GIF", save_all=True, append_images=few[1:], duration=100, loop=0, optimize=False)


def _by_ffmpeg(frames: Frames, *, colors: int, dither: str) -> Frames:
    """Return frames with the palette and the dither of FFmpeg's filters `palettegen` and `paletteuse`."""
    size: Any = {"width": frames[0].width, "height": frames[0].height, "format": "rgb24", "time_base": Fraction(1, 10)}
    making: Any = av.filter.Graph()
    given = making.add_buffer(**size)
    made, end = making.add("palettegen", f"max_colors={colors}"), making.add("buffersink")
    given.link_to(made)
    made.link_to(end)
    making.configure()
    for number, frame in enumerate(frames):
        given.push(_timed(frame, number))
    given.push(None)
    palette = end.pull()
    using: Any = av.filter.Graph()
    given, second = (
        using.add_buffer(**size),
        using.add_buffer(width=16, height=16, format="bgra", time_base=Fraction(1, 10)),
    )
    used, end = using.add("paletteuse", f"dither={dither}"), using.add("buffersink")
    given.link_to(used, 0, 0)
    second.link_to(used, 0, 1)
    used.link_to(end)
    using.configure()
    palette.pts, palette.time_base = 0, Fraction(1, 10)
    second.push(palette)
    second.push(None)
    for number, frame in enumerate(frames):
        given.push(_timed(frame, number))
    given.push(None)
    found = []
    for _ in frames:
        shown = end.pull().to_ndarray(format="rgb24")
        found.append(Image.fromarray(shown).convert("P", palette=Image.Palette.ADAPTIVE, colors=256))
    return found


def _timed(frame: Image.Image, number: int) -> av.VideoFrame:
    made = av.VideoFrame.from_image(frame)
    made.pts, made.time_base = number, Fraction(1, 10)
    return made


def write_film(random: Random, frames: Frames, file: Path, *, codec: str) -> None:
    """Write an MP4 or a WebM."""
    quality = str(random.choice((18, 23, 23, 28)) + (8 if codec != "libx264" else 0))
    form = "mp4" if codec == "libx264" else "webm"
    options = {"crf": quality} | ({"preset": "veryfast"} if codec == "libx264" else {"cpu-used": "8", "b:v": "0"})
    with av.open(str(file), "w", format=form) as opened:
        stream: Any = opened.add_stream(codec, rate=10, options=options)
        stream.width, stream.height, stream.pix_fmt = *frames[0].size, "yuv420p"
        for frame in frames:
            opened.mux(stream.encode(av.VideoFrame.from_image(frame)))
        opened.mux(stream.encode())


def write_webp(random: Random, frames: Frames, file: Path, *, lossless: bool) -> None:
    """Write an animated WebP."""
    quality = random.choice((60, 75, 85))
    options = {"lossless": lossless, "quality": quality, "method": 2, "duration": 100}
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], **options)


WRITERS: dict[str, Callable[[Random, Frames, Path], None]] = {
    "GIF": write_gif,
    "MP4": lambda random, frames, file: write_film(random, frames, file, codec="libx264"),
    "WebM": lambda random, frames, file: write_film(random, frames, file, codec="libvpx-vp9"),
    "WebP": lambda random, frames, file: write_webp(random, frames, file, lossless=False),
    "lossless WebP": lambda random, frames, file: write_webp(random, frames, file, lossless=True),
}
WAYS = (
    *(("GIF", "MP4"), ("MP4", "GIF"), ("GIF", "WebP"), ("WebP", "GIF"), ("MP4", "WebP"), ("GIF", "lossless WebP")),
    *(("GIF", "WebM"), ("WebM", "GIF"), ("MP4", "MP4"), ("GIF", "GIF")),
)


def shown_frames(file: Path) -> Frames:
    """Return all frames of a file as another program would read them."""
    head = file.read_bytes()[:12]
    if head.startswith(b"GIF8") or head[8:12] == b"WEBP":
        with Image.open(file) as opened:
            found = []
            for number in range(getattr(opened, "n_frames", 1)):
                opened.seek(number)
                found.append(opened.convert("RGB"))
            return found
    with av.open(str(file)) as film:
        return [frame.to_image() for frame in film.decode(video=0)]


def draw_pair(random: Random, templates: Sequence[Path], way: tuple[str, str], folder: Path) -> tuple[Path, Path]:
    """Write a source and the copy that was made of it; return both files."""
    source, copy = folder / "source", folder / "copy"
    WRITERS[way[0]](random, drawn_frames(random, templates), source)
    WRITERS[way[1]](random, shown_frames(source), copy)
    return source, copy


@dataclass
class KeptAnimations:
    """The numbers of pairs, of those found to be duplicates, decided, and right, by source and copy."""

    pairs: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    decided: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)

    def add(self, source: Path, copy: Path, way: str, *, first: bool) -> None:
        """Ask which of a source and its copy is kept; `first` tells whether the source was indexed first."""
        self.pairs[way] += 1
        files = (source, copy) if first else (copy, source)
        seen = [decode_file(file, max_pixels=10**8, max_bytes=10**9) for file in files]
        evidence = compare_frames(*([prepare(picture) for picture in each.pictures] for each in seen))
        if not evidence.is_duplicate:
            return
        self.found[way] += 1
        evidence = with_animation_traces(evidence, *map(moving_of, seen))
        memes = [_meme(file, each, id) for id, (file, each) in enumerate(zip(files, seen, strict=True))]
        choice = choose_kept([Member(memes[0]), Member(memes[1], evidence.tier, evidence)])
        self.decided[way] += choice.is_sure
        self.right[way] += choice.is_sure and (choice.meme.path == source.name or evidence.equal_pixels)

    def report(self, report: Report) -> None:
        """Print the shares by source and copy, and of all."""
        columns = {"source > copy": "", "pairs": ",d", "found": ".3f", "decided": ".3f", "right": ".3f"}
        table = report.table("the source is kept", columns)
        for way in (*self.pairs, "all"):
            pairs, found, decided, right = (
                each.total() if way == "all" else each[way]
                for each in (self.pairs, self.found, self.decided, self.right)
            )
            table.row(way, pairs, found / pairs, decided / max(1, found), right / decided if decided else None)


def _meme(file: Path, seen: DecodedMedia, id: int) -> Meme:
    return Meme(
        id,
        file.name,
        "drawn",
        f"{id:064}",
        seen.type,
        datetime(2026, 1, 1, tzinfo=UTC),
        file.stat().st_size,
        seen.width,
        seen.height,
        content_type=seen.content_type,
        codec=seen.codec,
        transparent=seen.transparent,
    )


def measure(given: Namespace, report: Report) -> None:
    """Print the sums over all seeds."""
    templates = sorted((shared("real_memes") / "templates").glob("*.jpg"))
    kept = KeptAnimations()
    for seed in given.seeds:
        for number in range(given.pairs):
            random, way = Random(f"{seed} {number}"), WAYS[number % len(WAYS)]
            with TemporaryDirectory() as folder:
                source, copy = draw_pair(random, templates, way, Path(folder))
                kept.add(source, copy, " > ".join(way), first=bool(number // len(WAYS) % 2))
    kept.report(report)


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
