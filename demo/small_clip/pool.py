"""Training pictures: scenes drawn in bulk at low resolution, plain, captioned, or under a bar of text."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from demo.lettering import typeface
from demo.scenes import Scene, draw_scene
from demo.small_clip.phrases import training_scene

SIDE = 112  # pixels of a stored picture's side; training crops it at random
_DRAWN = (192, 144)
_BATCH = 250
_LETTERS = "EEEETTTAAAOOOIIINNNSSSHHRRDDLLCUMWFGYPB"


def scene_at(number: int, seed: int) -> Scene:
    """Return the scene of a number: the same for the same seed, and never a held-out one."""
    return training_scene(Random(f"{seed}-{number}"))


def draw_pool(
    file: Path,
    *,
    scenes: int,
    seed: int,
    workers: int = 2,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> NDArray[np.uint8]:
    """Return the pictures of the first scenes of a seed, [scenes, SIDE, SIDE, 3], mapped from a file.

    Pictures that an earlier run drew into the file are used.
    """
    if not file.exists():
        aside = file.with_suffix(".part.npy")
        drawn = file.with_suffix(".drawn")
        done = {int(one) for one in drawn.read_text().split()} if aside.exists() and drawn.exists() else set()
        mode = "r+" if done else "w+"
        pictures = np.lib.format.open_memmap(aside, mode=mode, dtype=np.uint8, shape=(scenes, SIDE, SIDE, 3))
        waiting = [first for first in range(0, scenes, _BATCH) if first not in done]
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            started = {pool.submit(_drawn, first, min(_BATCH, scenes - first), seed): first for first in waiting}
            for future in as_completed(started):
                first = started[future]
                batch = future.result()
                pictures[first : first + len(batch)] = batch
                pictures.flush()
                done.add(first)
                drawn.write_text(" ".join(map(str, sorted(done))))
                progress(min(scenes, len(done) * _BATCH), scenes)
        del pictures
        aside.rename(file)
        drawn.unlink(missing_ok=True)
    return np.load(file, mmap_mode="r")


def as_in_a_meme(scene: Scene, random: Random) -> Image.Image:
    """Return a scene's picture as in a meme, resized to SIDE × SIDE; its text is random letters."""
    picture = draw_scene(scene, _DRAWN)
    luck = random.random()
    if luck < 0.45:
        picture = _with_capitals(picture, random)
    elif luck < 0.65:
        picture = _under_a_bar(picture, random)
    elif luck < 0.75:  # a panel of a comic shows the middle
        cut = random.uniform(0.1, 0.24) * picture.width
        picture = picture.crop((round(cut), 0, picture.width - round(cut), picture.height))
    return picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def _drawn(first: int, count: int, seed: int) -> NDArray[np.uint8]:
    pictures = np.empty((count, SIDE, SIDE, 3), dtype=np.uint8)
    for at in range(count):
        number = first + at
        pictures[at] = np.asarray(as_in_a_meme(scene_at(number, seed), Random(f"{seed}-{number}-words")))
    return pictures


def _words(random: Random, letters: int) -> str:
    found = ""
    while len(found) < letters:
        found += "".join(random.choice(_LETTERS) for _ in range(random.randint(2, 8))) + " "
    return found.strip()[:letters]


def _with_capitals(picture: Image.Image, random: Random) -> Image.Image:
    pen = ImageDraw.Draw(picture)
    places = random.choice(((0.1,), (0.9,), (0.1, 0.9), (0.1, 0.9)))
    for place in places:
        size = random.randint(11, 19)
        pen.text(
            (picture.width / 2, picture.height * place),
            _words(random, random.randint(6, 200 // size)),
            font=typeface(size),
            anchor="mm",
            fill="#ffffff",
            stroke_width=2,
            stroke_fill="#000000",
        )
    return picture


def _under_a_bar(picture: Image.Image, random: Random) -> Image.Image:
    bar = random.randint(22, 52)
    whole = Image.new("RGB", (picture.width, picture.height + bar), random.choice(("#ffffff", "#ffffff", "#15142a")))
    whole.paste(picture, (0, bar))
    ink = "#15142a" if whole.getpixel((0, 0)) == (255, 255, 255) else "#ffffff"
    size = random.randint(9, 13)
    for row in range(max(1, bar // (size + 6))):
        ImageDraw.Draw(whole).text((6, 4 + row * (size + 3)), _words(random, 24), font=typeface(size), fill=ink)
    return whole
