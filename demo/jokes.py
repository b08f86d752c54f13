"""The hand-written jokes of `bank/`: the text, form, scenes and meaning of each."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from zlib import crc32

from demo.scenes import Scene
from demo.vocabulary import Action, Color, Expression, Place, Prop, Sky, Subject


class Form(StrEnum):
    """The form of a joke's picture; the value is its name in descriptions."""

    MACRO = "captioned picture"
    BAR = "picture under a line of text"
    VERSUS = "two-panel comparison"
    REFUSE = "two-panel choice"
    LABELS = "picture with labels on its characters"
    COMIC = "four-panel comic"
    LADDER = "four-step ladder"
    BARS = "bar chart"
    PIE = "pie chart"
    LINE = "line chart"
    VENN = "Venn diagram"
    POST = "screenshot of a post"
    CHAT = "screenshot of a chat"
    DIALOG = "screenshot of a dialog box"
    SEARCH = "screenshot of a search box"
    ROAD = "road sign"
    WARNING = "yellow warning sign"
    BILLBOARD = "billboard"
    STICKY = "sticky note"
    LIST = "to-do list in a notebook"


@dataclass(frozen=True)
class Joke:
    """One meme before it is drawn; `asks` are three queries for it: a description, a quotation and a meaning."""

    category: str
    form: Form
    scenes: tuple[Scene, ...]
    lines: tuple[str, ...]
    means: str
    template: str  # shared by jokes over the same picture
    name: str = ""  # of the file, without extension
    asks: tuple[str, str, str] | None = None
    moving: bool = False


# The colour of a subject when a joke names none.
_NATURAL = {
    Subject.CAT: Color.ORANGE,
    Subject.DOG: Color.BROWN,
    Subject.FOX: Color.ORANGE,
    Subject.RABBIT: Color.WHITE,
    Subject.BEAR: Color.BROWN,
    Subject.FROG: Color.GREEN,
    Subject.PENGUIN: Color.BLACK,
    Subject.OWL: Color.BROWN,
    Subject.DUCK: Color.YELLOW,
    Subject.DINOSAUR: Color.GREEN,
    Subject.OCTOPUS: Color.PURPLE,
    Subject.ROBOT: Color.GRAY,
    Subject.GHOST: Color.WHITE,
    Subject.ALIEN: Color.GREEN,
    Subject.WIZARD: Color.PURPLE,
    Subject.WORKER: Color.BLUE,
    Subject.MUG: Color.RED,
    Subject.TOASTER: Color.TEAL,
    Subject.CACTUS: Color.GREEN,
    Subject.POTATO: Color.BROWN,
}
_SETS = (Subject, Color, Action, Place, Sky, Expression, Prop)


def parse_scene(words: str) -> Scene:
    """Return the scene that a few words name ("cat typing office night"); raise ValueError for an unknown word."""
    found: dict[type[StrEnum], StrEnum] = {}
    for word in words.split():
        members = [one[word.upper()] for one in _SETS if word.upper() in one.__members__]
        if len(members) != 1:
            raise ValueError(f"{word!r} in {words!r} names {len(members)} things that a scene can have, not one.")
        found[type(members[0])] = members[0]
    subject = Subject(found[Subject])
    return Scene(
        subject=subject,
        color=Color(found.get(Color, _NATURAL[subject])),
        action=Action(found.get(Action, Action.WAVING)),
        place=Place(found.get(Place, Place.OFFICE)),
        sky=Sky(found.get(Sky, Sky.DAY)),
        expression=Expression(found.get(Expression, Expression.HAPPY)),
        prop=Prop(found.get(Prop, Prop.NONE)),
        seed=crc32(words.encode()) % 1_000_000,
    )


def read_bank() -> tuple[Joke, ...]:
    """Return every hand-written joke, in the order of the files in `bank/`."""
    folder = files("demo")
    templates = tomllib.loads(folder.joinpath("grammar", "templates.toml").read_text("utf-8"))
    jokes: list[Joke] = []
    for file in sorted(folder.joinpath("bank").iterdir(), key=lambda one: one.name):
        for category, entries in tomllib.loads(file.read_text("utf-8")).items():
            jokes += [_joke(category, entry, templates) for entry in entries]
    return tuple(jokes)


def _joke(category: str, entry: Mapping[str, object], templates: Mapping[str, str]) -> Joke:
    (form,) = [one for one in Form if one.name.lower() in entry]
    drawn = entry[form.name.lower()]
    names: Sequence[str] = drawn if isinstance(drawn, list) else [str(drawn)]
    template = names[0][1:] if names[0].startswith("@") else ""
    if template:
        names = templates[template].split(" | ")
    says, asks = entry["say"], entry.get("ask")
    assert isinstance(says, list)
    if asks is not None:
        assert isinstance(asks, list) and len(asks) == 3
        asks = (str(asks[0]), str(asks[1]), str(asks[2]))
    slug = re.sub(r"[^a-z0-9]+", "-", " ".join([category, *says]).lower())[:60].strip("-")
    return Joke(
        category=category,
        form=form,
        scenes=tuple(parse_scene(one) for one in names if one),
        lines=tuple(str(one) for one in says),
        means=str(entry["means"]),
        template=template or f"{form.name.lower()}-{slug}",
        name=str(entry.get("name", "")),
        asks=asks,
        moving=bool(entry.get("moving", False)),
    )
