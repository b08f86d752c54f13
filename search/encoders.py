"""Encoders turn texts and pictures into vectors whose products say how alike they are.

A caller sees two protocols and two factories; what runs behind them lives in a module for each kind of model. Searching
and serving never import torch: they run a model that `export_text_encoder` made once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from search.clip.making import make_ready, ready
from search.clip.model import clip_named
from search.errors import IndexUnusable, ModelUnavailable
from search.minilm import NAME, export_minilm, open_minilm
from search.settings import Settings

Vectors = NDArray[np.float32]  # [n, d], rows of length 1

# Rows that went through float16 and back keep their length to about 1e-3.
LENGTH_TOLERANCE = 2e-3


class TextEncoder(Protocol):
    """Turns texts into vectors; texts that mean the same get rows with a large product."""

    @property
    def name(self) -> str:
        """The name under which embeddings are kept; another model, or another way to run it, has another name."""

    @property
    def dimensions(self) -> int:
        """How many numbers a row has."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return a float32 row of length 1 for each text, [n, dimensions]; an empty text has a row too."""


class ImageEncoder(Protocol):
    """Turns pictures and texts into vectors of one space: a picture is near to a text that describes it."""

    def probabilities(self, products: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return how likely each text is a picture's ([pictures, texts]), from the products of their rows."""

    @property
    def name(self) -> str:
        """The name under which embeddings are kept."""

    @property
    def dimensions(self) -> int:
        """How many numbers a row has."""

    def prepare(self, picture: Image.Image) -> NDArray[np.float32]:
        """Return a picture as the model takes it; another thread may do so while the model is busy."""

    def encode_prepared(self, prepared: Sequence[NDArray[np.float32]]) -> Vectors:
        """Return a float32 row of length 1 for each prepared picture, [n, dimensions]."""

    def encode_images(self, pictures: Sequence[Image.Image]) -> Vectors:
        """Return a float32 row of length 1 for each picture, [n, dimensions]."""

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """Return a float32 row of length 1 for each text, [n, dimensions], comparable with the pictures' rows."""


def checked(vectors: NDArray[np.floating], *, rows: int, dimensions: int, encoder: str) -> Vectors:
    """Return an encoder's answer as float32 [rows, dimensions], rows of length 1; raise IndexUnusable if it is not."""
    if vectors.shape != (rows, dimensions):
        raise IndexUnusable(f"The encoder {encoder} gave numbers of shape {vectors.shape}, not {(rows, dimensions)}.")
    found: Vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if not np.isfinite(found).all():
        raise IndexUnusable(f"The encoder {encoder} gave numbers that are not finite.")
    lengths = np.linalg.norm(found, axis=1)
    if rows and np.abs(lengths - 1).max() > LENGTH_TOLERANCE:
        raise IndexUnusable(f"The encoder {encoder} gave rows that are not of length 1.")
    return found


def load_text_encoder(settings: Settings, *, often: bool = False) -> TextEncoder:
    """Return the text encoder that was exported into the data folder; raise ModelUnavailable when it cannot be used.

    Whoever asks `often` gets one that takes longer to start and less for each text.
    """
    _check_known(settings)
    return open_minilm(settings.data / "models", threads=settings.threads, often=often)


def export_text_encoder(settings: Settings) -> bool:
    """Make what `load_text_encoder` loads, where it is missing or damaged; return whether that was needed.

    Raises ModelUnavailable when it cannot be made, DataFolderError when it cannot be written.
    """
    _check_known(settings)
    return export_minilm(settings.data / "models", threads=settings.threads)


def load_image_encoder(settings: Settings, name: str, *, often: bool = False) -> ImageEncoder:
    """Return the image encoder under whose name embeddings are kept; raise ModelUnavailable when it is not here.

    Not the one that is chosen but the one that made what it is compared with: two are never mixed.
    """
    return clip_named(settings.data / "models", name, threads=settings.threads, often=often)


def make_image_encoder(settings: Settings) -> str:
    """Make ready what the setting names, where that has not been done; return its name, "" when none is chosen.

    Raises ModelUnavailable within seconds when its weights cannot be had, WrongUse when the setting names nothing.
    """
    if not settings.image_encoder:
        return ""
    return make_ready(settings.data / "models", settings.image_encoder, threads=settings.threads).name


def chosen_image_encoder(settings: Settings) -> str:
    """Return the name of the image encoder that the setting names, "" while none is chosen or it is not ready."""
    if not settings.image_encoder:
        return ""
    found = ready(settings.data / "models", settings.image_encoder)
    return found.name if found is not None else ""


def _check_known(settings: Settings) -> None:
    if settings.text_encoder != NAME:
        raise ModelUnavailable(
            f"There is no text encoder {settings.text_encoder!r}.", hint=f"The one that is known is {NAME}."
        )
