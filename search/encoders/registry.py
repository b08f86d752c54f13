"""Load and export the encoders that the settings choose.

Searching and serving never import torch: they run models that `export_text_encoder` and `export_image_encoder` have
exported once. The code of each kind of model is in a module of its own.
"""

from __future__ import annotations

from typing import Any

from search.encoders.base import ImageEncoder, TextEncoder
from search.encoders.built_in import BuiltIn, prepare_built_in
from search.encoders.clip import Clip, load_clip
from search.encoders.clip_models import AUTO, BUILT_IN, DEFAULT, DEFAULT_NAME, NONE, spec_of
from search.encoders.clip_prepare import find_prepared, prepare_clip
from search.encoders.hub import OnDownload
from search.encoders.minilm import NAME, export_minilm, open_minilm
from search.encoders.sentence import load_sentence_encoder
from search.encoders.sentence_prepare import find_prepared_text, prepare_sentence_encoder
from search.encoders.text_models import parse_text_spec
from search.errors import ModelUnavailable, WrongUse
from search.settings import Settings


def load_text_encoder(
    settings: Settings, name: str = "", *, long_running: bool = False, for_queries: bool = False
) -> TextEncoder:
    """Return the text encoder of this name, as in an index manifest; without a name, the one of the settings.

    A `long_running` process gets one that is slower to start and faster for each text, unless it is `for_queries`: then
    it computes as that of a command does, to the last bit. Raises ModelUnavailable when the export is missing or
    damaged, or the setting names no model.

    >>> from search.encoders import load_text_encoder
    >>> load_text_encoder(workspace.settings)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    search.errors.ModelUnavailable: 'hashing-words-1' is not a text encoder.
    """
    models = settings.data / "models"
    name = name or chosen_text_encoder(settings)
    use: dict[str, Any] = {"threads": settings.threads, "long_running": long_running, "for_queries": for_queries}
    if name == NAME:
        return open_minilm(models, **use)
    if not name:
        _check_names_model(settings)
        raise ModelUnavailable(
            f"The text encoder {settings.text_encoder} is not in {models}.", hint="Run `memetica index` to get it."
        )
    return load_sentence_encoder(models, name, **use)


def export_text_encoder(settings: Settings, *, on_download: OnDownload | None = None) -> str:
    """Export the text encoder of the settings into the data folder unless it is there; return its name.

    `on_download` is called with the progress of a download. Raises ModelUnavailable when the export fails or disagrees
    with the original, the model cannot be downloaded, or the setting names none; DataFolderError when the folder cannot
    be written.

    >>> from search.encoders import export_text_encoder
    >>> export_text_encoder(workspace.settings)
    Traceback (most recent call last):
    search.errors.ModelUnavailable: 'hashing-words-1' is not a text encoder.
    """
    models = settings.data / "models"
    _check_names_model(settings)
    if is_packaged_text_encoder(settings):
        export_minilm(models, threads=settings.threads)
        return NAME
    return prepare_sentence_encoder(
        models, settings.text_encoder, threads=settings.threads, on_download=on_download
    ).name


def chosen_text_encoder(settings: Settings) -> str:
    """Return the name of the text encoder of the settings, as embeddings are stored by; "" when it is not exported.

    >>> from search.encoders import chosen_text_encoder
    >>> chosen_text_encoder(workspace.settings)
    ''
    """
    if is_packaged_text_encoder(settings):
        return NAME
    try:
        found = find_prepared_text(settings.data / "models", settings.text_encoder)
    except WrongUse:
        return ""  # a folder that is gone
    return found.name if found is not None else ""


def text_encoder_spec(settings: Settings) -> str:
    """Return the specification of the text encoder of the settings, as it is in the names of its embeddings.

    >>> from dataclasses import replace
    >>> text_encoder_spec(replace(workspace.settings, text_encoder="sentence-transformers/all-MiniLM-L6-v2"))
    'all-MiniLM-L6-v2'
    """
    try:
        return settings.text_encoder if settings.text_encoder == NAME else parse_text_spec(settings.text_encoder).spec
    except WrongUse:
        return settings.text_encoder  # a folder that is gone


def is_packaged_text_encoder(settings: Settings) -> bool:
    """Return whether the settings choose the text encoder that comes with Memetica.

    >>> is_packaged_text_encoder(workspace.settings)
    False
    """
    return text_encoder_spec(settings) == NAME


def load_image_encoder(settings: Settings, name: str, *, long_running: bool = False) -> ImageEncoder:
    """Return the image encoder of this name; raise ModelUnavailable when it is not in the data folder.

    `name` is stored with embeddings (as in an index manifest); it is not the setting: vectors of two encoders are never
    compared. `long_running` is as for `load_text_encoder`.

    >>> from search.encoders import load_image_encoder
    >>> load_image_encoder(workspace.settings, "ViT-B-32/x#0123")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    search.errors.ModelUnavailable: The image encoder ViT-B-32/x#0123, which the index was made with, is not in ...
    """
    kind = BuiltIn if spec_of(name) == BUILT_IN else Clip
    return load_clip(settings.data / "models", name, threads=settings.threads, long_running=long_running, kind=kind)


def export_image_encoder(settings: Settings, *, on_download: OnDownload | None = None) -> str:
    """Export the image encoder of the settings unless it is there; return its name, "" when the settings choose none.

    `on_download` is called with the progress of a download.
    Raises ModelUnavailable within seconds when its weights cannot be loaded or downloaded, WrongUse when the setting
    names no model.

    >>> from search.encoders import export_image_encoder
    >>> export_image_encoder(workspace.settings)
    ''
    """
    spec = image_encoder_spec(settings)
    if not spec:
        return ""
    if spec == BUILT_IN:
        return prepare_built_in(settings.data / "models", threads=settings.threads).name
    return prepare_clip(settings.data / "models", spec, threads=settings.threads, on_download=on_download).name


def image_encoder_spec(settings: Settings, *, otherwise: str = "") -> str:
    """Return the specification of the model that the setting `image_encoder` stands for; "" for none.

    `auto` is the best of those that are exported: open_clip's default, else the built-in one, else `otherwise`.
    `memetica index` and a serving site export the built-in one where there is none.

    >>> from dataclasses import replace
    >>> from search.encoders import image_encoder_spec
    >>> image_encoder_spec(replace(workspace.settings, image_encoder="default"))
    'ViT-B-32/laion2b_s34b_b79k'
    """
    spec = settings.image_encoder.strip()
    if spec == AUTO:
        models = settings.data / "models"
        return next((one for one in (DEFAULT, BUILT_IN) if find_prepared(models, one) is not None), otherwise)
    return {NONE: "", DEFAULT_NAME: DEFAULT}.get(spec, spec)


def chosen_image_encoder(settings: Settings) -> str:
    """Return the name of the image encoder of the settings; "" when it is none or not exported yet.

    >>> from search.encoders import chosen_image_encoder
    >>> chosen_image_encoder(workspace.settings)
    ''
    """
    spec = image_encoder_spec(settings)
    if not spec:
        return ""
    found = find_prepared(settings.data / "models", spec)
    return found.name if found is not None else ""


def _check_names_model(settings: Settings) -> None:
    """Raise ModelUnavailable unless the setting names a text encoder."""
    try:
        if settings.text_encoder != NAME:
            parse_text_spec(settings.text_encoder)
    except WrongUse as error:
        raise ModelUnavailable(error.message, hint=error.hint) from error
