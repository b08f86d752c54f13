"""What sees the pictures: the option `--see`, the question that the first `memetica index` asks, and what is said."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

import click

from indexer.stages.prepare_encoders import prepare_image_encoder
from search.encoders.base import ImageEncoder
from search.encoders.clip_models import AUTO, BUILT_IN, DEFAULT, DEFAULT_NAME, NONE, known_model, parse_model_spec
from search.encoders.registry import image_encoder_spec
from search.errors import ModelUnavailable
from search.index.status import BETTER_EYES
from search.settings import Settings, save_setting
from web.cli.command import Session
from web.cli.download_bar import DownloadBar
from web.cli.terminal import Terminal

Loader = Callable[[Settings], ImageEncoder | None]
SECONDS_A_PICTURE = 0.05  # of open_clip's default on two cores, rounded: `python -m benchmarks.image_throughput`


def value_of_choice(spec: str) -> str:
    """Return the value of the setting `image_encoder` for a choice: "" for `none`, a path made absolute.

    Raises WrongUse when it names no model.
    """
    if spec in (AUTO, NONE, ""):
        return spec if spec == AUTO else ""
    source = parse_model_spec(DEFAULT if spec == DEFAULT_NAME else spec)
    if source.file is not None:
        return f"{source.model}@{source.file}"
    return str(source.folder) if source.folder is not None and "/" in spec else source.spec


def is_interactive(terminal: Terminal) -> bool:
    """Return whether somebody can be asked a question."""
    return not (terminal.quiet or terminal.as_json) and sys.stdin.isatty() and sys.stderr.isatty()


def settle_image_encoder(session: Session, settings: Settings) -> tuple[Settings, Loader]:
    """Return settings that name the image encoder of this run, and the function that loads it.

    With `auto`, asks on a terminal whether to download open_clip's default, unless that is here; no answer but yes
    sends anything over the network. Without a terminal, or after a no, it is the built-in image encoder.
    """

    def prepare(chosen: Settings) -> ImageEncoder | None:
        with DownloadBar(terminal) as bar:
            return prepare_image_encoder(chosen, on_download=bar)

    terminal = session.terminal
    if settings.image_encoder != AUTO:
        return replace(settings, image_encoder=image_encoder_spec(settings)), prepare
    if image_encoder_spec(settings) == DEFAULT:
        return replace(settings, image_encoder=DEFAULT), prepare
    built_in = replace(settings, image_encoder=BUILT_IN)
    if not is_interactive(terminal):
        terminal.say(BETTER_EYES, style="dim")
        return built_in, prepare
    known = known_model(DEFAULT)
    question = (
        f"Pictures can be found by what they show. {DEFAULT} ({known.license}) does that best: {known.megabytes:,} MB "
        f"to download once, about {SECONDS_A_PICTURE} s a picture. The built-in image encoder needs no download and "
        "sees less.\nDownload it now?"
    )
    if not click.confirm(question, err=True):
        save_setting(settings.data, "image_encoder", BUILT_IN)  # so that the question is asked once
        return built_in, prepare

    def load(chosen: Settings) -> ImageEncoder | None:
        try:
            return prepare(chosen)
        except ModelUnavailable as error:
            terminal.say(f"{error.message} {error.hint}".strip(), style="yellow")
            terminal.say("Until then, the built-in image encoder sees the pictures.")
            return prepare(built_in)

    return replace(settings, image_encoder=DEFAULT), load
