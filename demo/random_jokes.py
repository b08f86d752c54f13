"""Random jokes: any scene, with words that fit what its subject does."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib.resources import files
from random import Random

from demo.jokes import Form, Joke
from demo.scenes import random_scene
from demo.vocabulary import Action


def random_jokes(random: Random) -> Iterator[Joke]:
    """Yield captioned scenes without end, each with a picture of its own."""
    table = tomllib.loads(files("demo").joinpath("grammar", "moments.toml").read_text("utf-8"))
    number = 0
    while True:
        number += 1
        scene = random_scene(random)
        top, bottom, means = random.choice(table[Action(scene.action).name.lower()])
        yield Joke(
            category=_CATEGORIES[scene.action],
            form=Form.MACRO,
            scenes=(scene,),
            lines=(top, bottom),
            means=means,
            template=f"moment-{number}",
        )


_CATEGORIES = {
    Action.WAVING: "Animals",
    Action.TYPING: "Programming",
    Action.DRINKING: "Food - Coffee",
    Action.READING: "School",
    Action.GUITAR: "Music",
    Action.LIFTING: "Fitness",
    Action.DANCING: "Music",
    Action.SLEEPING: "Sleep",
    Action.JUMPING: "Fitness",
    Action.SKATING: "Travel",
    Action.FISHING: "Philosophy",
    Action.UMBRELLA: "Weather",
    Action.BALLOONS: "Holidays",
    Action.PIZZA: "Food",
    Action.PHONE: "Technology",
    Action.COOKING: "Food",
    Action.RUNNING: "Mondays",
    Action.JUGGLING: "Work",
    Action.PAINTING: "Philosophy",
    Action.PRESENTING: "Work - Meetings",
    Action.MEDITATING: "Philosophy",
    Action.SHRUGGING: "Science",
    Action.WATERING: "Plants",
    Action.CARRYING: "Holidays",
}
