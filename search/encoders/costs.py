"""What each encoder costs on this machine: the milliseconds of a text or picture, measured when it is first used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from PIL import Image

from search.encoders.base import ImageEncoder, TextEncoder
from search.system.atomic_write import write_atomically

COSTS_FILE = "costs.json"  # in the folder of models
TEXTS, PICTURES = 8, 4  # encoded at once to measure
# About as long as the description of a meme.
_TEXT = (
    "A man looks back at another woman while his girlfriend stares at him in disbelief. The words over the three say "
    "that he is a programmer, that she is a new framework, and that the one beside him is the work that he has to do."
)


def costs(models: Path) -> dict[str, float]:
    """Return the milliseconds of one text or picture by an encoder's name; without those that were never used here.

    >>> from search.encoders.costs import costs
    >>> costs(folder)
    {}
    """
    try:
        found = json.loads((models / COSTS_FILE).read_text("utf-8"))
        return {str(name): float(value) for name, value in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def keep_text_cost(models: Path, encoder: TextEncoder) -> None:
    """Measure what a text of 40 words costs, unless that is known."""
    _keep(models, encoder.name, lambda: encoder.encode([_TEXT] * TEXTS), TEXTS)


def keep_image_cost(models: Path, encoder: ImageEncoder) -> None:
    """Measure what a picture of 640 × 480 pixels costs, unless that is known."""
    pictures = [Image.effect_noise((640, 480), 60).convert("RGB")] * PICTURES
    _keep(models, encoder.name, lambda: encoder.encode_images(pictures), PICTURES)


def _keep(models: Path, name: str, encode: Callable[[], object], count: int) -> None:
    known = costs(models)
    if name in known or not models.is_dir():
        return
    encode()  # the first call allocates and compiles
    begun = perf_counter()
    encode()
    found = known | {name: round(1000 * (perf_counter() - begun) / count, 2)}
    write_atomically(models / COSTS_FILE, json.dumps(found, indent=1).encode("utf-8"), private=True)
