"""Three categories of drawn shapes, each about one shape, with one meme that is filed wrongly."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

SHAPES = (("circle", "Circles"), ("stripes", "Stripes"), ("triangle", "Triangles"))
MISPLACED = "Circles/s19.png"  # shows stripes


def draw_shape(file: Path, kind: str, number: int) -> None:
    """Draw one of the shapes that each category is about; those of one kind look alike and say alike."""
    picture = Image.new("RGB", (200, 160), "white")
    pen = ImageDraw.Draw(picture)
    if kind == "circle":
        pen.ellipse((50 + number % 3, 20, 150, 130 + number % 4), fill="navy")
    elif kind == "stripes":
        for at in range(0, 200, 20):
            pen.rectangle((at, 0, at + 9, 160), fill=("maroon", "gold")[at % 40 // 20])
    else:
        pen.polygon([(100, 10 + number % 3), (190, 150), (10, 150)], fill="green")
    pen.rectangle((5 + 4 * number, 140, 25 + 4 * number, 155), fill="black")  # each is a meme of its own
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.save(file)
    file.with_name(file.name + ".txt").write_text(f"the {kind} number {number} says hello")


def draw_shapes(library: Path) -> None:
    """Draw twenty memes of each shape into a library; one of the stripes lies with the circles."""
    for kind, category in SHAPES:
        for number in range(20):
            place = MISPLACED if (kind, number) == ("stripes", 19) else f"{category}/{kind[0]}{number}.png"
            draw_shape(library / place, kind, number)
