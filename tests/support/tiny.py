"""A library of nine memes, small enough to know by heart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw


@dataclass(frozen=True)
class Tiny:
    """A meme of the tiny library: where it is, its colour, and the texts beside it (empty for none)."""

    path: str
    color: str
    ocr: str = ""
    description: str = ""
    analysis: str = ""
    first_seen: str = "2024-01-01T00:00:00Z"


ANALYSIS = """Okay, let's break down this meme.

## Visual Description
A grey robot holds a wrench over a broken toaster.

## Critical Theory
The toaster stands for labour that nobody sees, and the robot for its manager.
"""

TINY = (
    Tiny(
        "Cats/monday.png",
        "orange",
        "I hate mondays",
        "An orange cat glares at an alarm clock.",
        first_seen="2024-03-01T00:00:00Z",
    ),
    Tiny("Cats/keyboard cat.jpg", "tan", "typing my resignation", "A tan cat sits on a laptop keyboard."),
    Tiny("Cats - Kittens/small.png", "pink", "", "A pink kitten sleeps inside a shoe."),
    Tiny("Dogs/fine.png", "red", "this is fine", "A dog drinks coffee in a burning room."),
    Tiny('Dogs/it\'s "good" #1?.png', "brown", "who is a good boy", "A brown dog wears a medal."),
    Tiny("Robots/toaster.png", "grey", "skill issue", "A robot repairs a toaster.", ANALYSIS),
    Tiny("Robots/😂 50%.png", "blue", "beep boop", "A blue robot laughs at its own joke."),
    Tiny("Robots/no words.png", "teal"),
    Tiny("Собаки/пёс.png", "green", "привет мир", "A green dog waves hello."),
)


def draw_tiny_library(library: Path) -> Path:
    """Draw the tiny library into a folder and return it. Each picture has its own size, colour and shape."""
    for number, tiny in enumerate(TINY):
        file = library / tiny.path
        file.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.new("RGB", (120 + 10 * number, 90), tiny.color)
        pen = ImageDraw.Draw(picture)
        pen.ellipse((10 + 5 * number, 10, 60 + 6 * number, 60 + 3 * number), fill="white")
        pen.rectangle((4, 70, 20 + 9 * number, 84), fill="black")
        picture.save(file)
        texts = {
            ".txt": tiny.ocr,
            ".first-seen.txt": tiny.first_seen,
            ".tiny-artist.simple-description.txt": tiny.description,
            ".tiny-artist.detailed-analysis.txt": tiny.analysis,
        }
        for suffix, body in texts.items():
            if body:
                file.with_name(file.name + suffix).write_text(body, "utf-8")
    return library
