"""Prepare the encoders: export them once if needed, and load them."""

from __future__ import annotations

from indexer.work.locks import lock
from search.encoders.base import ImageEncoder, TextEncoder
from search.encoders.costs import keep_image_cost, keep_text_cost
from search.encoders.hub import OnDownload
from search.encoders.registry import (
    export_image_encoder,
    export_text_encoder,
    image_encoder_spec,
    load_image_encoder,
    load_text_encoder,
)
from search.settings import Settings


def prepare_text_encoder(settings: Settings, *, on_download: OnDownload | None = None) -> TextEncoder:
    """Return the text encoder of the settings, after exporting it if needed; raise ModelUnavailable when that fails."""
    with lock(settings.data, "exporting"):
        name = export_text_encoder(settings, on_download=on_download)
    encoder = load_text_encoder(settings, name, long_running=True)
    keep_text_cost(settings.data / "models", encoder)
    return encoder


def prepare_image_encoder(settings: Settings, *, on_download: OnDownload | None = None) -> ImageEncoder | None:
    """Return the image encoder of the settings, after exporting it if needed; None when the settings choose none.

    Raises ModelUnavailable when its weights cannot be loaded or downloaded.
    """
    if not image_encoder_spec(settings):
        return None
    with lock(settings.data, "exporting"):
        name = export_image_encoder(settings, on_download=on_download)
    encoder = load_image_encoder(settings, name, long_running=True)
    keep_image_cost(settings.data / "models", encoder)
    return encoder
