"""`memetica models`: the models, their state, and the command that gets or changes each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click

from search.encoders.clip import model_folder
from search.encoders.clip_models import AUTO, KNOWN_MODELS, NONE, parse_model_spec
from search.encoders.clip_prepare import find_prepared
from search.encoders.hub import hub_cache
from search.encoders.registry import export_image_encoder, image_encoder_spec, load_text_encoder
from search.errors import MemeticaError
from search.settings import Settings, save_setting
from web.cli.command import Command, Session
from web.cli.download_bar import DownloadBar
from web.cli.eyes import value_of_choice


@dataclass(frozen=True)
class ModelRow:
    """One model: its purpose, whether it is in use, its state and size, and the command that gets or changes it."""

    field: str
    model: str
    in_use: bool
    state: str
    size: str
    known_for: str
    command: str


@click.command(
    cls=Command,
    examples=(
        "memetica models",
        "memetica models --use default",
        "memetica models --use built-in",
        "memetica models --use ViT-B-32@weights.safetensors",
        "memetica models --use path/to/folder",
    ),
)
@click.option(
    "--use",
    "spec",
    metavar="MODEL",
    help="Choose the image encoder: an open_clip MODEL/WEIGHTS, MODEL@FILE, a folder, or one of `auto`, `default`, "
    "`built-in` and `none`.",
)
def models(session: Session, spec: str | None) -> None:
    """Show the models: which are in use, which are downloaded, and the command that gets or changes each.

    --use first prepares the model: it is exported and checked. `memetica index` then embeds the pictures with it. A
    running site embeds them in the background and switches to the model when all are embedded.
    """
    settings = session.settings()
    if spec is not None:
        _use(session, settings, spec)
        return
    rows = list(rows_of(settings))
    if session.terminal.as_json:
        for row in rows:
            session.terminal.row(asdict(row))
        return
    session.terminal.table(
        ("for", "model", "state", "size", "known for"),
        [(("→ " if one.in_use else "  ") + one.field, one.model, one.state, one.size, one.known_for) for one in rows],
    )
    terminal = session.terminal
    for row in rows:
        if row.command:
            terminal.out.print(f"[dim]{row.field} {row.model}:[/dim] {row.command}")
    if not image_encoder_spec(settings):
        terminal.say("There is no image encoder: words find pictures by their OCR text and descriptions.", style="dim")


def _use(session: Session, settings: Settings, spec: str) -> None:

    chosen = value_of_choice(spec)
    if chosen not in ("", AUTO):
        session.terminal.say(f"Preparing {chosen}. Weights that are not on this machine are downloaded.", style="dim")
        with DownloadBar(session.terminal) as bar:
            name = export_image_encoder(replace(settings, image_encoder=chosen), on_download=bar)
        session.terminal.say(f"{name} is ready.")
    save_setting(settings.data, "image_encoder", chosen)
    if "MEMETICA_IMAGE_ENCODER" in os.environ:
        session.terminal.say(
            "The environment's MEMETICA_IMAGE_ENCODER takes precedence over this choice.", style="yellow"
        )
    done = f"{chosen} is chosen" if chosen else "No image encoder is chosen"
    session.terminal.say(f"{done}. `memetica index` updates the index; a running site updates it by itself.")


def rows_of(settings: Settings) -> Iterator[ModelRow]:
    """Yield a row for each known model, and for the chosen model when it is not a known one."""

    try:
        load_text_encoder(settings)
        state = "ready"
    except MemeticaError as error:
        state = error.message
    folder = settings.data / "models" / settings.text_encoder
    yield ModelRow(
        "texts", settings.text_encoder, True, state, _size(folder), "English, 256 tokens; comes with Memetica", ""
    )
    known = {one.spec for one in KNOWN_MODELS}
    chosen = image_encoder_spec(settings)
    if chosen and chosen not in known:
        yield ModelRow("pictures", chosen, True, *_ready(settings, chosen), "yours", "")
    for one in KNOWN_MODELS:
        recall = f"COCO text→image R@1 {one.recall:.3f}; " if one.recall is not None else ""
        in_use = one.spec == chosen
        state, size = _ready(settings, one.spec)
        yield ModelRow(
            "pictures",
            one.spec,
            in_use,
            state,
            size or f"{one.parameters:,.0f} M parameters",
            f"{recall}{one.known_for} ({one.license})",
            f"memetica models --use {one.spec if not in_use else NONE}",
        )
    for engine in ("rapidocr", "tesseract"):
        here = engine == "rapidocr" or shutil.which("tesseract") is not None
        yield ModelRow(
            "OCR",
            engine,
            engine == settings.ocr_engine,
            "ready" if here else "not installed",
            "",
            "comes with Memetica" if engine == "rapidocr" else "a program of the system",
            f"memetica index --ocr {engine}" if here else "apt-get install tesseract-ocr",
        )


def _ready(settings: Settings, spec: str) -> tuple[str, str]:
    """Return the state of an image encoder and its size on disk."""

    models = settings.data / "models"
    try:
        source = parse_model_spec(spec)
        found = find_prepared(models, spec)
    except MemeticaError as error:
        return error.message, ""
    if found is not None:
        return "ready", _size(model_folder(models, found.name))
    if source.is_local:
        return "on this machine, not prepared", ""
    return ("not prepared; in the hub's cache, or to be downloaded" if hub_cache().is_dir() else "to be downloaded"), ""


def _size(folder: Path) -> str:
    bytes_of = sum(file.stat().st_size for file in folder.glob("*") if file.is_file()) if folder.is_dir() else 0
    return f"{bytes_of / 1e6:,.0f} MB" if bytes_of else ""
