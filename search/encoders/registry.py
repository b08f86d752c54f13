"""Encoders turn texts and pictures into vectors whose products say how alike they are.

A caller sees two protocols and two factories; what runs behind them lives in a module for each kind of model. Searching
and serving never import torch: they run a model that `export_text_encoder` made once.
"""

from __future__ import annotations

from search.encoders.base import ImageEncoder, TextEncoder
from search.encoders.clip import load_clip
from search.encoders.clip_prepare import find_prepared, prepare_clip
from search.encoders.minilm import NAME, export_minilm, open_minilm
from search.errors import ModelUnavailable
from search.settings import Settings


def load_text_encoder(settings: Settings, *, long_running: bool = False) -> TextEncoder:
    """Return the text encoder that was exported into the data folder; raise ModelUnavailable when it cannot be used.

    Whoever asks `often` gets one that takes longer to start and less for each text.
    """
    _check_known(settings)
    return open_minilm(settings.data / "models", threads=settings.threads, long_running=long_running)


def export_text_encoder(settings: Settings) -> bool:
    """Make what `load_text_encoder` loads, where it is missing or damaged; return whether that was needed.

    Raises ModelUnavailable when it cannot be made, DataFolderError when it cannot be written.
    """
    _check_known(settings)
    return export_minilm(settings.data / "models", threads=settings.threads)


def load_image_encoder(settings: Settings, name: str, *, long_running: bool = False) -> ImageEncoder:
    """Return the image encoder under whose name embeddings are kept; raise ModelUnavailable when it is not here.

    Not the one that is chosen but the one that made what it is compared with: two are never mixed.
    """
    return load_clip(settings.data / "models", name, threads=settings.threads, long_running=long_running)


def export_image_encoder(settings: Settings) -> str:
    """Make ready what the setting names, where that has not been done; return its name, "" when none is chosen.

    Raises ModelUnavailable within seconds when its weights cannot be had, WrongUse when the setting names nothing.
    """
    if not settings.image_encoder:
        return ""
    return prepare_clip(settings.data / "models", settings.image_encoder, threads=settings.threads).name


def chosen_image_encoder(settings: Settings) -> str:
    """Return the name of the image encoder that the setting names, "" while none is chosen or it is not ready."""
    if not settings.image_encoder:
        return ""
    found = find_prepared(settings.data / "models", settings.image_encoder)
    return found.name if found is not None else ""


def _check_known(settings: Settings) -> None:
    if settings.text_encoder != NAME:
        raise ModelUnavailable(
            f"There is no text encoder {settings.text_encoder!r}.", hint=f"The one that is known is {NAME}."
        )
