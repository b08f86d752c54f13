"""Phrases about a scene or some of its attributes, and the combinations held out from training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from demo.places import WEATHERLESS
from demo.scenes import Scene, random_scene
from demo.vocabulary import Action, Color, Expression, Place, Prop, Sky, Subject

ATTRIBUTES: Mapping[str, type[StrEnum]] = {
    "subject": Subject,
    "color": Color,
    "action": Action,
    "place": Place,
    "sky": Sky,
    "expression": Expression,
    "prop": Prop,
}
UNSEEN = -1  # the code of an attribute that the picture does not show


@dataclass(frozen=True)
class Phrase:
    """A text about a scene, and whether it mentions each of the ATTRIBUTES, in their order."""

    text: str
    speaks_of: tuple[bool, ...]


def training_scene(random: Random) -> Scene:
    """Return a random scene whose combination is not held out."""
    while held_out(scene := random_scene(random)):
        pass
    return scene


def held_out_scene(random: Random) -> Scene:
    """Return a random scene whose combination is held out from training."""
    while not held_out(scene := random_scene(random)):
        pass
    return scene


def held_out(scene: Scene) -> bool:
    """Return whether a scene's subject and action, or its subject and colour, are a pair kept from training.

    Each subject keeps a tenth of its actions and a twelfth of its colours for judgement.
    """
    subject, action, color = (
        list(kind).index(value)
        for kind, value in ((Subject, scene.subject), (Action, scene.action), (Color, scene.color))
    )
    return (subject + 3 * action) % 10 == 0 or (subject + 5 * color) % 12 == 0


def codes(scene: Scene) -> tuple[int, ...]:
    """Return the position of each attribute's value in its set; UNSEEN where the picture does not show it."""
    found = {name: list(kind).index(getattr(scene, name)) for name, kind in ATTRIBUTES.items()}
    if scene.place in WEATHERLESS:
        found["sky"] = UNSEEN
    if scene.action is Action.SLEEPING:
        found["expression"] = UNSEEN
    return tuple(found.values())


def whole(scene: Scene) -> Phrase:
    """Return the scene's caption."""
    seen = dict(zip(ATTRIBUTES, codes(scene), strict=True))
    return Phrase(scene.caption(), tuple(seen[name] != UNSEEN and bool(getattr(scene, name)) for name in ATTRIBUTES))


def part(scene: Scene, random: Random) -> Phrase:
    """Return a phrase about some attributes of a scene, as a user would type it."""
    seen = dict(zip(ATTRIBUTES, codes(scene), strict=True))
    mentioned = {
        name: random.random() < chance and seen[name] != UNSEEN and bool(getattr(scene, name))
        for name, chance in _CHANCES.items()
    }
    if not any(mentioned.values()):
        mentioned["subject"] = True
    words = {name: wording(getattr(scene, name), random) for name in ATTRIBUTES if mentioned[name]}
    who = " ".join(
        word for word in (words.get("expression"), words.get("color"), words.get("subject", "character")) if word
    )
    if not (mentioned["subject"] or mentioned["color"] or mentioned["expression"]):
        who = random.choice(("somebody", "someone", "")) if not mentioned["prop"] else "somebody"
    elif random.random() < 0.7:
        who = f"{'an' if who[0] in 'aeiou' else 'a'} {who}"
    if mentioned["prop"]:
        who += random.choice((" wearing ", " with ")) + words["prop"]
    rest = [words[name] for name in ("action", "place", "sky") if mentioned[name]]
    text = " ".join(part for part in (who, *rest) if part)
    opening = random.choice(("", "", "", "a cartoon of ", "a drawing of ", "a meme with "))
    return Phrase(opening + text, tuple(mentioned[name] for name in ATTRIBUTES))


def wording(value: StrEnum, random: Random) -> str:
    """Return a value's own words or, at random, a synonym."""
    others = _ALSO.get(value, ())
    return random.choice(others) if others and random.random() < 0.4 else str(value)


_CHANCES = {
    "subject": 0.5,
    "color": 0.3,
    "action": 0.45,
    "place": 0.25,
    "sky": 0.25,
    "expression": 0.45,
    "prop": 0.4,
}

# Synonyms that are used in training.
_ALSO: Mapping[StrEnum, tuple[str, ...]] = {
    Subject.DOG: ("hound",),
    Subject.RABBIT: ("hare",),
    Subject.DINOSAUR: ("T-rex",),
    Subject.GHOST: ("spirit",),
    Subject.ALIEN: ("extraterrestrial",),
    Subject.WORKER: ("employee", "man in a suit"),
    Subject.MUG: ("cup of coffee",),
    Color.GRAY: ("gray",),
    Color.PURPLE: ("violet",),
    Color.TEAL: ("turquoise",),
    Action.WAVING: ("saying hello",),
    Action.TYPING: ("working at a computer", "programming"),
    Action.DRINKING: ("holding a cup of coffee",),
    Action.READING: ("with a book",),
    Action.GUITAR: ("making music on a guitar",),
    Action.LIFTING: ("lifting weights",),
    Action.SLEEPING: ("asleep",),
    Action.JUMPING: ("leaping",),
    Action.SKATING: ("skateboarding",),
    Action.FISHING: ("with a fishing rod",),
    Action.BALLOONS: ("carried by balloons",),
    Action.PHONE: ("looking at a smartphone",),
    Action.COOKING: ("cooking", "frying something"),
    Action.PAINTING: ("painting a picture",),
    Action.PRESENTING: ("giving a presentation",),
    Action.MEDITATING: ("sitting in meditation",),
    Action.SHRUGGING: ("with a shrug",),
    Action.CARRYING: ("carrying boxes",),
    Place.OFFICE: ("at work",),
    Place.LIVING_ROOM: ("at home",),
    Place.CLASSROOM: ("at school",),
    Place.BEACH: ("by the sea",),
    Place.CITY: ("in the city",),
    Place.SEA_FLOOR: ("under water",),
    Sky.NIGHT: ("under the stars",),
    Sky.RAIN: ("on a rainy day",),
    Sky.SNOW: ("in falling snow",),
    Sky.STORM: ("with lightning",),
    Expression.HAPPY: ("smiling",),
    Expression.SAD: ("unhappy",),
    Expression.SHOCKED: ("surprised",),
    Expression.TIRED: ("sleepy",),
    Expression.CRYING: ("weeping",),
    Prop.HARD_HAT: ("a helmet",),
    Prop.SUNGLASSES: ("shades",),
}

# Synonyms in no training text: only MiniLM knows their meaning.
UNTRAINED_WORDS: Mapping[StrEnum, str] = {
    Subject.CAT: "kitten",
    Subject.DOG: "puppy",
    Subject.FOX: "vixen",
    Subject.RABBIT: "bunny",
    Subject.BEAR: "grizzly",
    Subject.FROG: "toad",
    Subject.OWL: "night bird with big eyes",
    Subject.DUCK: "mallard",
    Subject.DINOSAUR: "tyrannosaurus",
    Subject.OCTOPUS: "squid",
    Subject.ROBOT: "android",
    Subject.GHOST: "phantom",
    Subject.ALIEN: "martian",
    Subject.WIZARD: "sorcerer",
    Subject.WORKER: "businessman",
    Subject.CACTUS: "succulent",
    Subject.POTATO: "spud",
    Action.WAVING: "greeting everybody",
    Action.TYPING: "coding",
    Action.DRINKING: "sipping an espresso",
    Action.READING: "absorbed in a novel",
    Action.GUITAR: "strumming strings",
    Action.LIFTING: "doing strength training",
    Action.SLEEPING: "taking a nap",
    Action.SKATING: "doing skater tricks",
    Action.FISHING: "angling for trout",
    Action.UMBRELLA: "under a parasol",
    Action.PIZZA: "having a slice of pepperoni",
    Action.PHONE: "texting",
    Action.COOKING: "making pancakes",
    Action.RUNNING: "jogging",
    Action.PAINTING: "being an artist at a canvas",
    Action.PRESENTING: "showing sales figures",
    Action.MEDITATING: "doing yoga",
    Action.WATERING: "gardening",
    Action.CARRYING: "hauling packages",
    Place.OFFICE: "in a cubicle",
    Place.LIVING_ROOM: "on the sofa in the lounge",
    Place.CLASSROOM: "in front of a blackboard",
    Place.LIBRARY: "among bookshelves",
    Place.GYM: "at the fitness club",
    Place.BEACH: "at the seaside",
    Place.FOREST: "in the woods",
    Place.CITY: "downtown",
    Place.MOUNTAINS: "among alpine peaks",
    Place.DESERT: "in the Sahara",
    Place.FARM: "by a barn",
    Place.CASTLE: "before a fortress",
    Place.MOON: "on the lunar surface",
    Place.SEA_FLOOR: "deep in the ocean",
    Sky.SUNSET: "at dusk",
    Sky.NIGHT: "after midnight",
    Sky.RAIN: "in a downpour",
    Sky.SNOW: "in a blizzard",
    Expression.HAPPY: "cheerful",
    Expression.ANGRY: "furious",
    Expression.SHOCKED: "startled",
    Expression.TIRED: "exhausted",
    Expression.CONFUSED: "puzzled",
    Expression.CRYING: "sobbing",
}
