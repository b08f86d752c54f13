"""Copies in further views, and pairs that look alike and are no copies, added to a drawn library of real_memes.

The copies: cropped at several sides and depths, turned by 90, 180 and 270 degrees, squeezed to a square, and a
transparent sticker on a white, a black and a dark ground. The pairs that are no copies: a blank picture beside a
captioned one, a caption bar beside none and beside another one, a series with another number, one changed word,
stickers whose faces differ in a detail, a mirrored drawing with other words, and plain colours. A crop that cuts words
away is none either: those are told apart by the share of the caption's ink that was cut.
"""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from benchmarks.data import Library, shared

SHARE = 0.015  # of a library's memes, for each kind
FOLDER = "Views"
TURNS = {
    "turned 90": Image.Transpose.ROTATE_90,
    "turned 180": Image.Transpose.ROTATE_180,
    "turned 270": Image.Transpose.ROTATE_270,
}
GROUNDS = {"over white": "white", "over black": "black", "over dark": "#0e1621"}  # the last is a messenger's
SQUEEZED = "squeezed to a square"
CUT = 0.1  # share of the caption's ink; a crop that cuts more says something else
_DEPTHS = (0.08, 0.15, 0.25, 0.35)  # of a crop: the largest share of a side that is cut
_NUMBERS = (
    *("part {}", "day {}", "orientation {}", "level {}", "room {}B"),
    *("{}/9", "3:{}", "${}.99", "1{}.05.2024", "{}0 %"),
)
_STRETCHED = 1.2  # least aspect ratio of what is squeezed
_STICKER_SIDES = (50, 96, 160, 320)  # pixels
_COLORS = ("#f4c542", "#8fd16a", "#f08fb1", "#8ab6f0", "#c9a0f0", "#f0a05a")


def builder() -> Any:
    """Return the module that draws real_memes; raise Skipped where the data set is not here."""
    folder = str(shared("real_memes"))
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module("build_library")


def with_lookalikes(library: Library, *, seed: int) -> Library:
    """Return a library of real_memes with copies and pairs added, drawn beside the given one if it is not there."""
    root = library.root.with_name(f"{library.root.name}-lookalikes")
    if not root.exists():
        aside = root.with_name(f"{root.name}.part")
        shutil.rmtree(aside, ignore_errors=True)
        shutil.copytree(library.memes, aside / "memes")
        _Drawing(library, aside, seed=seed).draw()
        aside.rename(root)
    return replace(library, root=root, data=root / library.data.name)


class _Drawing:
    """Draws the files of all kinds under `root`, and their truth."""

    def __init__(self, library: Library, root: Path, *, seed: int) -> None:
        self._library, self._root, self._seed = library, root, seed
        self._truth = json.loads((library.root / "truth.json").read_text("utf-8"))
        self._truth["lookalikes"] = []
        self._count = max(3, round(SHARE * len(self._truth["memes"])))
        self._names = 0
        self._builder = builder()
        self._captions = self._builder.read_captions(shared("real_memes"))
        templates = self._builder.read_templates(shared("real_memes"))
        self._templates = {template.id: template for template in templates}
        # Blank pictures of one template are copies of each other: each template is drawn blank once.
        self._drawn_blank = iter(Random(f"{seed} templates").sample(sorted(self._templates), len(self._templates)))
        self._first_seen = (self._root / "memes" / self._truth["memes"][0]["path"].removeprefix("memes/")).with_name(
            Path(self._truth["memes"][0]["path"]).name + ".first-seen.txt"
        )

    def draw(self) -> None:
        """Write every file and the truth."""
        kinds: dict[str, Callable[[Random], None]] = {
            "deeper crops": self._deeper_crops,
            "crops": self._crops,
            "views": self._views,
            "stickers": self._stickers,
            "blank": self._blank,
            "bars": self._bars,
            "digits": self._digits,
            "words": self._words,
            "faces": self._faces,
            "mirrored": self._mirrored,
            "plain": self._plain,
        }
        for kind, draw in kinds.items():
            draw(Random(f"{self._seed} {kind}"))
        (self._root / "truth.json").write_text(json.dumps(self._truth, indent=1, ensure_ascii=False), encoding="utf-8")

    def _deeper_crops(self, rng: Random) -> None:
        """Crop memes at one side or more, by several depths; `_crops` sorts out those that cut words away."""
        copied = {one.original for one in self._library.copies}
        free = [path for path in self._library.captions if path not in copied]
        for at, path in enumerate(rng.sample(free, min(len(free), 6 * self._count))):
            depth = _DEPTHS[at % len(_DEPTHS)]
            sides = rng.sample(("left", "top", "right", "bottom"), rng.choice((1, 1, 2, 3 if depth < 0.2 else 2)))
            removed = {side: rng.uniform(0.6, 1) * depth for side in sides}
            picture = self._opened(path)
            width, height = picture.size
            left, top = (round(removed.get(side, 0) * of) for side, of in (("left", width), ("top", height)))
            right, bottom = width * (1 - removed.get("right", 0)), height * (1 - removed.get("bottom", 0))
            box = left, top, round(right), round(bottom)
            self._copy(picture.crop(box), path, "crop", rng, removed=removed)

    def _crops(self, rng: Random) -> None:
        """Count the crops that cut words away as no copies."""
        rows = {row["path"]: row for row in self._truth["memes"]}
        kept = []
        for row in self._truth["duplicates"]:
            if row["transformation"] == "crop" and self._ink_cut(rows[row["original"]], row) > CUT:
                path = row["copy"]
                self._truth["memes"].append({**rows[row["original"]], "path": path, "template": path, "caption": []})
                self._lookalike(
                    row["original"].removeprefix("memes/"), path.removeprefix("memes/"), "words cropped away"
                )
            else:
                kept.append(row)
        self._truth["duplicates"] = kept

    def _ink_cut(self, meme: dict[str, Any], crop: dict[str, Any]) -> float:
        """Return the share of the pixels of a meme's caption that a crop of it lacks."""
        size = self._opened(meme["path"].removeprefix("memes/")).size
        blank = Image.new("RGB", size, "#808080")
        importlib.import_module("drawing").draw_caption(
            blank, self._templates[meme["template"]].zones, tuple(meme["caption"])
        )
        ink = (np.asarray(blank) != 128).any(axis=2)
        removed = crop["parameters"]["removed"]
        left, top = (round(removed.get(side, 0) * length) for side, length in zip(("left", "top"), size, strict=True))
        right, bottom = (
            round((1 - removed.get(side, 0)) * length) for side, length in zip(("right", "bottom"), size, strict=True)
        )
        return 1 - float(ink[top:bottom, left:right].sum()) / max(1, int(ink.sum()))

    def _views(self, rng: Random) -> None:
        copied = {one.original for one in self._library.copies}
        free = [path for path in self._library.captions if path not in copied]
        chosen = iter(rng.sample(free, min(len(free), 8 * self._count)))
        for way, turn in TURNS.items():
            for path in (next(chosen) for _ in range(self._count)):
                self._copy(self._opened(path).transpose(turn), path, way, rng)
        drawn = 0
        for path in chosen:
            picture = self._opened(path)
            if drawn < self._count and max(picture.size) / min(picture.size) >= _STRETCHED:
                side = min(picture.size)
                self._copy(picture.resize((side, side), Image.Resampling.LANCZOS), path, SQUEEZED, rng)
                drawn += 1

    def _stickers(self, rng: Random) -> None:
        """Draw cut-out pictures with words, as transparent PNG, and each as a JPEG on the three grounds in turn."""
        for _ in range(self._count):
            for way, ground in GROUNDS.items():
                picture = self._cut_out(rng)
                path = self._file(picture, rng, extension=".png")
                flat = Image.new("RGB", picture.size, ground)
                flat.paste(picture, mask=picture.getchannel("A"))
                self._copy(flat, path, way, rng)

    def _blank(self, rng: Random) -> None:
        by_template: dict[str, list[str]] = {}
        for path in self._library.captions:
            by_template.setdefault(self._library.templates[path], []).append(path)
        for _ in range(self._count):
            template = self._templates[next(self._drawn_blank)]
            path = self._file(self._rendered(template.id, ("",) * len(template.zones), rng), rng)
            for other in by_template.get(template.id, ()):
                self._lookalike(path, other, "blank beside captioned")

    def _bars(self, rng: Random) -> None:
        for _ in range(self._count):
            template = self._templates[next(self._drawn_blank)]
            picture = self._rendered(template.id, ("",) * len(template.zones), rng)
            bare = self._file(picture, rng)
            one, other = (self._file(_barred(picture, text), rng) for text in rng.sample(self._sentences(), 2))
            for path in (one, other):
                self._lookalike(bare, path, "caption bar beside none")
            self._lookalike(one, other, "another caption bar")

    def _digits(self, rng: Random) -> None:
        """Draw series: a number with another digit in each, alternately in the caption and somewhere else."""
        faces = sorted((shared("real_memes") / "fonts").glob("*.[ot]tf"))
        for at in range(2 * self._count):
            template = self._any_template(rng)
            zone, size, form = rng.randrange(len(template.zones)), rng.random(), rng.choice(_NUMBERS)
            face, height = rng.choice(faces), rng.uniform(0.036, 0.07)
            place = rng.uniform(0.02, 0.6), rng.choice((0.03, 0.45, 0.9))
            paths = []
            for digit in rng.sample(range(1, 10), 3):
                caption = ["" for _ in template.zones]
                if at % 2:
                    caption[zone] = form.format(digit)
                picture = self._rendered(template.id, caption, Random(size))
                if not at % 2:
                    at_pixel = place[0] * picture.width, place[1] * picture.height
                    font = ImageFont.truetype(face, max(16, round(height * picture.width)))
                    ImageDraw.Draw(picture).text(
                        at_pixel, form.format(digit), "white", font, stroke_width=2, stroke_fill="black"
                    )
                paths.append(self._file(picture, rng))
            for one, other in combinations(paths, 2):
                self._lookalike(one, other, "another number")

    def _words(self, rng: Random) -> None:
        """Draw memes twice, with one word changed."""
        for _ in range(2 * self._count):
            picture, other = one_word_changed(self._builder, self._templates, self._captions, rng)
            self._lookalike(self._file(picture, rng), self._file(other, rng), "one word")

    def _faces(self, rng: Random) -> None:
        for at in range(self._count):
            side, seed = _STICKER_SIDES[at % len(_STICKER_SIDES)], rng.random()
            paths = [self._file(_face(side, detail, Random(seed)), rng, extension=".png") for detail in range(3)]
            for one, other in combinations(paths, 2):
                self._lookalike(one, other, "faces that differ in a detail")
            if side >= 160:
                words = rng.sample(("HELLO", "GOOD NIGHT", "NO WAY", "THANK YOU", "MONDAY", "LUNCH TIME"), 2)
                face = _face(side, 0, Random(seed))
                said = [_worded(face, words[0]), _worded(ImageOps.mirror(face), words[1])]
                named = [self._file(picture, rng, extension=".png") for picture in said]
                for path in named:
                    self._lookalike(paths[0], path, "sticker with and without words")
                self._lookalike(named[0], named[1], "mirrored with other words")

    def _mirrored(self, rng: Random) -> None:
        drawn = {(row["template"], tuple(row["caption"])) for row in self._truth["memes"]}
        free = {
            id: [caption for caption in own if (id, caption) not in drawn] for id, own in sorted(self._captions.items())
        }
        ids = [id for id, own in free.items() if len(own) > 1]
        for id in rng.sample(ids, min(len(ids), self._count)):
            template = self._templates[id]
            first, second = rng.sample(free[id], 2)
            blank = ImageOps.mirror(self._rendered(id, ("",) * len(template.zones), rng))
            importlib.import_module("drawing").draw_caption(blank, template.zones, second)
            one, other = self._file(self._rendered(id, first, rng), rng), self._file(blank, rng)
            self._lookalike(one, other, "mirrored with other words")

    def _plain(self, rng: Random) -> None:
        levels = rng.sample(range(0, 256, 16), 12)
        paths = []
        for color in (tuple(levels[at : at + 3]) for at in range(0, 12, 3)):
            size = rng.randint(300, 700), rng.randint(300, 700)
            paths.append(self._file(Image.new("RGB", size, color), rng))
        for one, other in combinations(paths, 2):
            self._lookalike(one, other, "plain colours")

    def _rendered(self, id: str, caption: Sequence[str], rng: Random) -> Image.Image:
        picture: Image.Image = self._builder.render(self._templates[id], tuple(caption), rng)
        return picture

    def _any_template(self, rng: Random) -> Any:
        return self._templates[rng.choice(sorted(self._templates))]

    def _sentences(self) -> list[str]:
        return sorted({max(texts, key=len) for own in self._captions.values() for texts in own})

    def _cut_out(self, rng: Random) -> Image.Image:
        """Return a transparent sticker: an ellipse of a picture, with outlined words across its lower edge."""
        template = self._any_template(rng)
        picture = ImageOps.fit(self._rendered(template.id, ("",) * len(template.zones), rng), (480, 480))
        mask = Image.new("L", picture.size)
        ImageDraw.Draw(mask).ellipse((20, 10, 460, 420), fill=255)
        cut = picture.convert("RGBA")
        cut.putalpha(mask)
        return _worded(cut, " ".join(rng.choice(self._sentences()).split()[:3]).upper())

    def _opened(self, path: str) -> Image.Image:
        with Image.open(self._library.memes / path) as file:
            return file.convert("RGB")

    def _file(self, picture: Image.Image, rng: Random, *, extension: str = ".jpg") -> str:
        """Write a picture that is no copy; return its path."""
        path = self._written(picture, rng, extension=extension)
        row = {"path": f"memes/{path}", "template": path, "category": FOLDER, "caption": [], "has_description": False}
        self._truth["memes"].append(row)
        return path

    def _copy(self, picture: Image.Image, original: str, way: str, rng: Random, **parameters: Any) -> None:
        path = self._written(picture, rng)
        row = {"copy": f"memes/{path}", "original": f"memes/{original}", "transformation": way}
        self._truth["duplicates"].append({**row, "parameters": parameters})

    def _written(self, picture: Image.Image, rng: Random, *, extension: str = ".jpg") -> str:
        self._names += 1
        path = f"{FOLDER}/view {self._names:04}{extension}"
        file = self._root / "memes" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if extension == ".png":
            picture.save(file, compress_level=3)
        else:
            picture.convert("RGB").save(file, quality=rng.randint(80, 92))
        shutil.copyfile(self._first_seen, file.with_name(f"{file.name}.first-seen.txt"))
        return path

    def _lookalike(self, one: str, other: str, kind: str) -> None:
        self._truth["lookalikes"].append({"one": f"memes/{one}", "other": f"memes/{other}", "kind": kind})


def one_word_changed(
    builder: Any, templates: dict[str, Any], captions: dict[str, list[Any]], rng: Random
) -> tuple[Image.Image, Image.Image]:
    """Return a random meme drawn twice at one size, with one word of its caption replaced, each time by another.

    Neither is a copy of a meme of the library that has the caption as it was.
    """
    words = sorted({word for own in captions.values() for texts in own for text in texts for word in text.split()})
    id = rng.choice(sorted(captions))
    texts = list(rng.choice(captions[id]))
    zone = rng.choice([place for place, text in enumerate(texts) if text])
    said = texts[zone].split()
    at = rng.randrange(len(said))
    others = {word.lower(): word for word in words if word.lower() != said[at].lower()}
    size = rng.random()
    drawn = []
    for word in rng.sample(sorted(others.values()), 2):
        text = " ".join([*said[:at], word, *said[at + 1 :]])
        drawn.append(builder.render(templates[id], (*texts[:zone], text, *texts[zone + 1 :]), Random(size)))
    return drawn[0], drawn[1]


def _barred(picture: Image.Image, text: str) -> Image.Image:
    """Return a picture under a white bar with a text in black."""
    size = max(18, picture.width // 18)
    face = ImageFont.load_default(size)
    lines = [""]
    pen = ImageDraw.Draw(picture)
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if pen.textlength(longer, face) > 0.92 * picture.width and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    step = round(1.3 * size)
    bar = step * len(lines) + step // 2
    framed = Image.new("RGB", (picture.width, picture.height + bar), "white")
    framed.paste(picture, (0, bar))
    pen = ImageDraw.Draw(framed)
    for at, line in enumerate(lines):
        pen.text((0.04 * picture.width, step // 4 + at * step), line, "black", face)
    return framed


def _face(side: int, detail: int, rng: Random) -> Image.Image:
    """Return a drawn face on a white ground; `detail` 0 to 2 changes eyes and mouth, the seed all the rest."""
    scale = side / 100
    picture = Image.new("RGB", (side, round(side * 1.04)), "white")
    pen = ImageDraw.Draw(picture)

    def box(left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        return left * scale, top * scale, right * scale, bottom * scale

    line = max(1, round(2 * scale))
    skin, hat = rng.sample(_COLORS, 2)
    edge, apart, eyes, mouth = rng.uniform(4, 22), rng.uniform(9, 20), rng.uniform(30, 44), rng.uniform(58, 70)
    pen.ellipse(box(edge, 14, 100 - edge, 98), fill=skin, outline="black", width=line)
    brim, top = rng.uniform(10, 30), rng.uniform(35, 65)
    pen.polygon(box(50 - brim, 18, top, 1) + box(50 + brim, 18, 50 - brim, 18), fill=hat, outline="black")
    for middle in (50 - apart, 50 + apart):
        if detail == 1:
            pen.line(box(middle - 7, eyes + 8, middle + 7, eyes + 8), fill="black", width=2 * line)
        else:
            pen.ellipse(box(middle - 7, eyes, middle + 7, eyes + 16), fill="white", outline="black", width=line)
            pen.ellipse(box(middle - 3, eyes + 6, middle + 3, eyes + 14), fill="black")
    if detail == 2:
        pen.ellipse(box(42, mouth, 58, mouth + 18), fill="#7a1f1f", outline="black", width=line)
    else:
        pen.arc(box(32, mouth - 14, 68, mouth + 14), 20, 160, fill="black", width=line)
    return picture


def _worded(picture: Image.Image, text: str) -> Image.Image:
    """Return a picture with outlined words below it, across its lower edge."""
    size = picture.width // 8
    framed = Image.new(picture.mode, (picture.width, picture.height + size), (255, 255, 255, 0)[: len(picture.mode)])
    framed.paste(picture, (0, 0))
    pen = ImageDraw.Draw(framed)
    face = ImageFont.load_default(size)
    while pen.textlength(text, face) > 0.96 * picture.width and size > 8:
        size -= 1
        face = ImageFont.load_default(size)
    left = (picture.width - pen.textlength(text, face)) / 2
    ink, outline = ("white", "black") if picture.mode == "RGBA" else ("black", "white")
    pen.text((left, framed.height - 1.35 * size), text, ink, face, stroke_width=max(1, size // 14), stroke_fill=outline)
    return framed
