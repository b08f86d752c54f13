"""The text encoder that the live index was made with: queries, uploads and new memes are embedded by the same one.

It is not the one of the settings while texts are embedded again by another that was chosen.
"""

from __future__ import annotations

from search.encoders.base import TextEncoder
from search.encoders.registry import chosen_text_encoder, load_text_encoder
from search.index.generations import live_text_encoder
from search.settings import Settings


def text_encoder_in_use(settings: Settings) -> str:
    """Return the name of the text encoder of the live index; without an index, of the one that the settings choose.

    >>> text_encoder_in_use(workspace.settings)
    'hashing-words-1'
    """
    return live_text_encoder(settings.data / "index") or chosen_text_encoder(settings) or settings.text_encoder


def load_text_encoder_in_use(
    settings: Settings, *, long_running: bool = False, for_queries: bool = False
) -> TextEncoder:
    """Return the text encoder of the live index; without an index, the one that the settings choose.

    Raises ModelUnavailable when it is missing or damaged; the others are as for `load_text_encoder`.

    >>> load_text_encoder_in_use(workspace.settings)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    search.errors.ModelUnavailable: ...
    """
    name = live_text_encoder(settings.data / "index")
    return load_text_encoder(settings, name, long_running=long_running, for_queries=for_queries)
