"""Copies in further views, and pairs that look alike and are no copies, added to a drawn library of real_memes.

The copies: cropped at several sides and depths, turned by 90, 180 and 270 degrees, squeezed to a square, and a
transparent sticker on a white, a black and a dark ground; more of each of real_memes' ten edits, and sites' marks over
a caption. The pairs that are no copies: a blank picture beside a captioned one, a caption bar beside none and beside
another one, a series with another number, one changed word, one or two changed letters, two words exchanged, stickers
whose faces differ in a detail, a mirrored drawing with other words, plain colours, and small things drawn on one of two
equal pictures (`drawn_changes.SMALL_CHANGES`).

A crop is a copy while every word of the caption is there, if with a letter cut: up to a quarter of a word's ink. One
that takes half of a word's ink or more, or half of a digit's, says something else, and is no copy. Between the two lies
what a curator may see either way: it is counted by itself, as neither.
"""

from __future__ import annotations

import importlib
import itertools
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

from benchmarks.cropped_words import Crop, ink_of, judge
from benchmarks.data import Library, shared
from benchmarks.drawn_changes import SMALL_CHANGES, barred, exchanged, face, marked, other_letters, small_change, worded

SHARE = 0.015  # of a library's memes, for each kind
FOLDER = "Views"
TURNS = {
    "turned 90": Image.Transpose.ROTATE_90,
    "turned 180": Image.Transpose.ROTATE_180,
    "turned 270": Image.Transpose.ROTATE_270,
}
GROUNDS = {"over white": "white", "over black": "black", "over dark": "#0e1621"}  # the last is a messenger's
SQUEEZED = "squeezed to a square"
MORE = 5  # pairs of each edit of real_memes, for a library of 250 memes
_DEPTHS = (0.08, 0.15, 0.25, 0.35)  # of a crop: the largest share of a side that is cut
_NUMBERS = (
    *("part {}", "day {}", "orientation {}", "level {}", "room {}B"),
    *("{}/9", "3:{}", "${}.99", "1{}.05.2024", "{}0 %"),
)
_STRETCHED = 1.2  # least aspect ratio of what is squeezed
_STICKER_SIDES = (50, 96, 160, 320)  # pixels


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
        self._more = max(1, round(MORE * len(self._truth["memes"]) / 250))
        self._names = 0
        self._fonts = sorted((shared("real_memes") / "fonts").glob("*.[ot]tf"))
        self._builder = builder()
        self._captions = self._builder.read_captions(shared("real_memes"))
        templates = self._builder.read_templates(shared("real_memes"))
        self._templates = {template.id: template for template in templates}
        # A meme that is drawn twice would be a copy of itself.
        taken = {(row["template"], tuple(row["caption"])) for row in self._truth["memes"]}
        every = ((id, tuple(texts)) for id, own in sorted(self._captions.items()) for texts in own)
        unused = sorted(set(every) - taken)
        self._unused = iter(Random(f"{seed} captions").sample(unused, len(unused)))
        # Blank pictures of one template are copies of each other: each template is drawn blank once.
        self._drawn_blank = iter(Random(f"{seed} templates").sample(sorted(self._templates), len(self._templates)))
        self._first_seen = (self._root / "memes" / self._truth["memes"][0]["path"].removeprefix("memes/")).with_name(
            Path(self._truth["memes"][0]["path"]).name + ".first-seen.txt"
        )

    def draw(self) -> None:
        """Write every file and the truth."""
        kinds: dict[str, Callable[[Random], None]] = {
            "deeper crops": self._deeper_crops,
            "views": self._views,
            "ways": self._ways,
            "crops": self._crops,
            "stickers": self._stickers,
            "blank": self._blank,
            "bars": self._bars,
            "digits": self._digits,
            "words": self._words,
            "letters": self._letters,
            "small changes": self._small_changes,
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
        """Count the crops that cut words away as no copies, and those of which that is unclear as neither."""
        rows = {row["path"]: row for row in self._truth["memes"]}
        kept = []
        for row in self._truth["duplicates"]:
            found = self._judged(rows[row["original"]], row) if row["transformation"] == Crop.COPY else Crop.COPY
            if found is Crop.COPY:
                kept.append(row)
                continue
            path = row["copy"]
            self._truth["memes"].append({**rows[row["original"]], "path": path, "template": path, "caption": []})
            self._lookalike(row["original"].removeprefix("memes/"), path.removeprefix("memes/"), found)
        self._truth["duplicates"] = kept

    def _judged(self, meme: dict[str, Any], crop: dict[str, Any]) -> Crop:
        size = self._opened(meme["path"].removeprefix("memes/")).size
        removed = crop["parameters"]["removed"]
        left, top = (round(removed.get(side, 0) * length) for side, length in zip(("left", "top"), size, strict=True))
        right, bottom = (
            round((1 - removed.get(side, 0)) * length) for side, length in zip(("right", "bottom"), size, strict=True)
        )
        return judge(self._templates[meme["template"]], size, meme["caption"], (left, top, right, bottom))

    def _ways(self, rng: Random) -> None:
        """Make more copies by each of real_memes' edits, and copies with a mark over the words."""
        edits = importlib.import_module("transformations").TRANSFORMATIONS
        # Of two copies of one meme, each with another edit, it would not be seen which was missed.
        used = {row["original"] for row in self._truth["duplicates"]} | {
            row["one"] for row in self._truth["lookalikes"]
        }
        unused = sorted(path for path in self._library.captions if f"memes/{path}" not in used)
        free = iter(rng.sample(unused, len(unused)))
        rows = {row["path"].removeprefix("memes/"): row for row in self._truth["memes"]}
        for way, edit in edits.items():
            for path in itertools.islice(free, self._more):
                altered = edit(self._opened(path), rng)
                parameters = {"quality": altered.quality, **altered.parameters}
                self._copy(altered.picture, path, way, rng, extension=altered.extension, **parameters)
        drawn = 0
        for path in free:
            meme, picture = rows[path], self._opened(path)
            inks = list(ink_of(picture.size, self._templates[meme["template"]].zones, meme["caption"]))
            made = marked(picture, np.logical_or.reduce(inks), self._fonts, rng)
            if made is not None and drawn < 2 * self._more:
                self._copy(made, path, "mark over words", rng)
                drawn += 1

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
            one, other = (self._file(barred(picture, text), rng) for text in rng.sample(self._sentences(), 2))
            for path in (one, other):
                self._lookalike(bare, path, "caption bar beside none")
            self._lookalike(one, other, "another caption bar")

    def _digits(self, rng: Random) -> None:
        """Draw series: a number with another digit in each, alternately in the caption and somewhere else."""
        for at in range(2 * self._count):
            template = self._any_template(rng)
            zone, size, form = rng.randrange(len(template.zones)), rng.random(), rng.choice(_NUMBERS)
            face, height = rng.choice(self._fonts), rng.uniform(0.036, 0.07)
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

    def _letters(self, rng: Random) -> None:
        """Draw memes twice, with one or two letters changed, and with two words exchanged."""
        for kind, change in (("other letters", other_letters), ("words exchanged", exchanged)):
            drawn = 0
            while drawn < self._more:
                (id, texts), size = next(self._unused), rng.random()
                zone = rng.choice([place for place, text in enumerate(texts) if text])
                said = change(texts[zone].split(), rng)
                if said is None:
                    continue
                changed = [*texts[:zone], " ".join(said), *texts[zone + 1 :]]
                one, other = (self._file(self._rendered(id, each, Random(size)), rng) for each in (texts, changed))
                self._lookalike(one, other, kind)
                drawn += 1

    def _small_changes(self, rng: Random) -> None:
        """Draw memes twice, with a small thing that differs."""
        for kind in (kind for kind in SMALL_CHANGES for _ in range(self._more)):
            id, caption = next(self._unused)
            picture = self._rendered(id, caption, rng)
            words = list(ink_of(picture.size, self._templates[id].zones, caption))
            paths = []
            for draw in small_change(kind, picture.size, words, self._fonts, rng):
                altered = picture.copy()
                draw(altered)
                paths.append(self._file(altered, rng))
            self._lookalike(paths[0], paths[1], kind)

    def _faces(self, rng: Random) -> None:
        for at in range(self._count):
            side, seed = _STICKER_SIDES[at % len(_STICKER_SIDES)], rng.random()
            paths = [self._file(face(side, detail, Random(seed)), rng, extension=".png") for detail in range(3)]
            for one, other in combinations(paths, 2):
                self._lookalike(one, other, "faces that differ in a detail")
            if side >= 160:
                words = rng.sample(("HELLO", "GOOD NIGHT", "NO WAY", "THANK YOU", "MONDAY", "LUNCH TIME"), 2)
                bare = face(side, 0, Random(seed))
                said = [worded(bare, words[0]), worded(ImageOps.mirror(bare), words[1])]
                named = [self._file(picture, rng, extension=".png") for picture in said]
                for path in named:
                    self._lookalike(paths[0], path, "sticker with and without words")
                self._lookalike(named[0], named[1], "mirrored with other words")

    def _mirrored(self, rng: Random) -> None:
        for _ in range(self._count):
            id, first = next(self._unused)
            template = self._templates[id]
            second = rng.choice([caption for caption in self._captions[id] if caption != first])
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
        return worded(cut, " ".join(rng.choice(self._sentences()).split()[:3]).upper())

    def _opened(self, path: str) -> Image.Image:
        with Image.open(self._library.memes / path) as file:
            return file.convert("RGB")

    def _file(self, picture: Image.Image, rng: Random, *, extension: str = ".jpg") -> str:
        """Write a picture that is no copy; return its path."""
        path = self._written(picture, rng, extension=extension)
        row = {"path": f"memes/{path}", "template": path, "category": FOLDER, "caption": [], "has_description": False}
        self._truth["memes"].append(row)
        return path

    def _copy(
        self, picture: Image.Image, original: str, way: str, rng: Random, *, extension: str = ".jpg", **parameters: Any
    ) -> None:
        path = self._written(picture, rng, extension=extension, quality=parameters.get("quality"))
        row = {"copy": f"memes/{path}", "original": f"memes/{original}", "transformation": way}
        self._truth["duplicates"].append({**row, "parameters": parameters})

    def _written(
        self, picture: Image.Image, rng: Random, *, extension: str = ".jpg", quality: int | None = None
    ) -> str:
        self._names += 1
        path = f"{FOLDER}/view {self._names:04}{extension}"
        file = self._root / "memes" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if extension == ".png":
            picture.save(file, compress_level=3)
        else:
            picture.convert("RGB").save(file, quality=quality or rng.randint(80, 92))
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
