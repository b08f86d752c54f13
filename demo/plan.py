"""The plan of a demo library, made before anything is drawn: names, dates, texts, formats, copies."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random

from PIL import features

from demo.descriptions import misread, simple_description, words_of
from demo.essays import detailed_analysis
from demo.jokes import Form, Joke, read_bank
from demo.random_jokes import random_jokes
from demo.truth import Change, DemoDuplicate, DemoMeme, DemoTruth
from demo.vocabulary import Action

# Files that are broken on purpose, by name, and what is wrong with each.
BROKEN_FILES = {
    "half of it.jpg": "cut off before the first row of its picture",
    "empty.png": "without a single byte",
    "not a picture.jpg": "a text under the name of a picture",
    "saved page.webp": "a web page under the name of a picture",
}
# A description, a quotation and a meaning: each has a relevant meme in every demo of the default size.
EXAMPLE_QUERIES: tuple[str, str, str] = (
    "white bear with a scarf dancing in the snow at night",
    "it works on my machine",
    "automation that makes more work",
)

FIRST_YEAR = 2014
FRESH_DAYS = 14  # some memes are always newer than this
FEWEST = 30
FRAMES = 12  # of an animation

# Formats of still pictures, and their frequency in percent.
_ENDINGS = {".jpg": 58, ".png": 17, ".webp": 15, ".jpeg": 5, ".avif": 3, ".jfif": 1.5, ".bmp": 0.5}
_MOVING = (
    Action.DANCING,
    Action.JUGGLING,
    Action.SKATING,
    Action.BALLOONS,
    Action.LIFTING,
    Action.RUNNING,
    Action.JUMPING,
    Action.FISHING,
    Action.UMBRELLA,
    Action.SLEEPING,
    Action.WATERING,
    Action.COOKING,
)


@dataclass(frozen=True)
class Planned:
    """One meme to be drawn: the joke, its ground truth, and the encoding of its file."""

    joke: Joke
    meme: DemoMeme
    quality: int = 88  # of lossy formats, 1 to 100
    share: float = 1.0  # scale, relative to the drawing's size


@dataclass(frozen=True)
class Plan:
    """Everything to be drawn, and its ground truth."""

    planned: tuple[Planned, ...]
    truth: DemoTruth


def plan_demo(*, memes: int, seed: int, now: datetime) -> Plan:
    """Return what `draw_demo` draws with these arguments, without drawing it."""
    random = Random(seed)
    jokes = _chosen(memes, random)
    dates = _dates(len(jokes), random, now)
    endings = {**_moving(jokes, random), _vector(jokes): ".svg"}
    taken: set[str] = set()
    planned = tuple(_planned(joke, dates[k], endings.get(k), random, taken) for k, joke in enumerate(jokes))
    return Plan(
        planned,
        DemoTruth(
            memes=tuple(one.meme for one in planned),
            duplicates=_duplicates([one.meme for one in planned], random, now, taken),
            broken=_broken(planned[0].meme.category, planned[FEWEST // 2].meme.category),
        ),
    )


def _chosen(memes: int, random: Random) -> list[Joke]:
    """Return jokes from each category in turn, first those that share a picture with others; then random ones."""
    waiting: dict[str, list[Joke]] = defaultdict(list)
    for joke in read_bank():
        waiting[joke.category].append(joke)
    jokes: list[Joke] = []
    while len(jokes) < memes and any(waiting.values()):
        for category in waiting:
            if waiting[category] and len(jokes) < memes:
                jokes.append(waiting[category].pop(0))
    return jokes + list(islice(random_jokes(random), memes - len(jokes)))


def _dates(count: int, random: Random, now: datetime) -> list[datetime]:
    """Return times from 2014 to now, more of recent years; at least one in twelve is within FRESH_DAYS."""
    start = datetime(FIRST_YEAR, 1, 5, tzinfo=UTC)
    span = (now - start).total_seconds()
    dates = [start + timedelta(seconds=round(span * random.random() ** 0.7 * 0.998)) for _ in range(count)]
    for k in random.sample(range(count), max(3, count // 12)):
        dates[k] = now - timedelta(minutes=random.randrange(40, FRESH_DAYS * 24 * 60 - 60))
    return [date.replace(microsecond=0) for date in dates]


def _moving(jokes: Sequence[Joke], random: Random) -> dict[int, str]:
    """Return the indices of the jokes that are animated, with the suffix of each file."""
    can = [
        k for k, joke in enumerate(jokes) if joke.form in (Form.MACRO, Form.BAR) and joke.scenes[0].action in _MOVING
    ]
    shared = Counter(joke.template for joke in jokes)
    can = [k for k in can if shared[jokes[k].template] == 1]  # variants differ only in their words
    random.shuffle(can)
    gifs = max(2, len(jokes) // 30)
    endings = [".gif", ".webp", ".mp4", ".webm"] + [".gif"] * (gifs - 1)
    if len(jokes) < 100:
        endings = endings[: 2 + len(jokes) // 25]
    return dict(zip(can, endings, strict=False))


def _vector(jokes: Sequence[Joke]) -> int:
    """Return the index of the joke that is saved as SVG: a sign if there is one."""
    still = [k for k, joke in enumerate(jokes) if joke.scenes[0].action not in _MOVING]
    signs = [k for k in still if jokes[k].form is Form.WARNING]
    return (signs or still)[0]


def _planned(joke: Joke, date: datetime, ending: str | None, random: Random, taken: set[str]) -> Planned:
    still = ending in (None, ".svg")
    if ending is None:
        ending = random.choices(tuple(_ENDINGS), tuple(_ENDINGS.values()))[0]
        if ending == ".avif" and not features.check("avif"):
            ending = ".png"
    folder = joke.category + (f"/{date.year}" if random.random() < 0.03 else "")
    path = _free(folder, _name(joke, date, random), ending, taken)
    asked = joke.asks is not None and bool(set(joke.asks) & set(EXAMPLE_QUERIES))
    description = simple_description(joke, random) if random.random() < 0.85 or asked else ""
    analysis = detailed_analysis(joke, random) if description and random.random() < 0.4 else ""
    return Planned(
        joke=joke,
        quality=random.choices((92, 86, 78, 55), (30, 40, 24, 6))[0],
        share=1.0 if still else 0.5,
        meme=DemoMeme(
            path=path,
            category=joke.category,
            form=joke.form,
            template=joke.template,
            caption="\n".join(words_of(joke)),
            means=joke.means,
            scenes=joke.scenes,
            first_seen=date,
            dated=random.random() < 0.9,
            description=description,
            analysis=analysis,
            ocr=misread(joke, random) if random.random() < 0.2 else "",
            asks=joke.asks,
            frames=1 if still else FRAMES,
        ),
    )


def _name(joke: Joke, date: datetime, random: Random) -> str:
    """Return a file name as people have them: a sentence, a number, or one without meaning."""
    if joke.name:
        return joke.name
    words = re.sub(r"[^\w' -]+", "", max(words_of(joke), key=len)).split()[:7]
    scene = joke.scenes[0]
    return random.choices(
        (
            " ".join(words),
            "-".join(words).lower(),
            f"{scene.expression} {scene.subject} {random.randrange(2, 60)}",
            f"IMG_{date:%Y%m%d_%H%M%S}",
            f"{int(date.timestamp() * 1000)}",
            f"{scene.subject}~{random.randrange(1, 9)}".replace(" ", "_"),
            f"Screenshot {date:%Y-%m-%d at %H.%M.%S}",
            f"download ({random.randrange(1, 40)})",
            "_".join(words[:4]).upper() + "_FINAL",
        ),
        (22, 20, 12, 12, 8, 5, 7, 8, 4),
    )[0]


def _free(folder: str, name: str, ending: str, taken: set[str]) -> str:
    """Return a free path, also on file systems that ignore case."""
    path, number = f"{folder}/{name}{ending}", 1
    while path.lower() in taken:
        number += 1
        path = f"{folder}/{name} ({number}){ending}"
    taken.add(path.lower())
    return path


def _duplicates(memes: Sequence[DemoMeme], random: Random, now: datetime, taken: set[str]) -> tuple[DemoDuplicate, ...]:
    still = [meme for meme in memes if meme.frames == 1 and not meme.path.endswith((".svg", ".bmp", ".avif"))]
    categories = sorted({meme.category for meme in memes})
    duplicates: list[DemoDuplicate] = []
    changes = [*Change, Change.COPIED, Change.REENCODED, Change.RESIZED, Change.CROPPED] * (len(memes) // 1000 + 1)
    for change, meme in zip(changes, random.sample(still, min(len(changes), len(still) // 3)), strict=False):
        category = meme.category if random.random() < 0.6 else random.choice(categories)
        later = meme.first_seen + (now - meme.first_seen) * random.random()
        ending = meme.path[meme.path.rindex(".") :] if change is Change.COPIED else ".jpg"
        name = random.choice(
            ("image0", "copy of it", "unnamed", "received", "funny", f"IMG_{later:%Y%m%d}", "Untitled")
        )
        path = _free(category, f"{name}-{random.randrange(100, 999)}", ending, taken)
        duplicates.append(DemoDuplicate(path, meme.path, change, later.replace(microsecond=0)))
    return tuple(duplicates)


def _broken(first: str, last: str) -> tuple[tuple[str, str], ...]:
    places = zip((first, first, last, last), BROKEN_FILES.items(), strict=True)
    return tuple((f"{category}/{name}", why) for category, (name, why) in places)
