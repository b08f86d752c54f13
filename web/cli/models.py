"""`memetica models`: which models there are, where from, and the one command that gets or changes each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from search.errors import MemeticaError
from web.cli.command import Session, verb

if TYPE_CHECKING:
    from search.settings import Settings

NONE, DEFAULT_NAME = "none", "default"


@dataclass(frozen=True)
class ModelRow:
    """One model: what it is for, whether it is the one in use, what is here of it, and how to get or change it."""

    field: str
    model: str
    in_use: bool
    state: str
    size: str
    known_for: str
    command: str


@click.command()
@click.option("--use", "spec", metavar="MODEL", help="Choose what sees pictures, getting it first; `default`, `none`.")
@verb
def models(session: Session, spec: str | None) -> int:
    """Show the models that read and see: which are in use, what is here of each, and how to get or change it.

    \b
    memetica models --use default                       ViT-B-32/laion2b_s34b_b79k
    memetica models --use ViT-B-32/openai               an open_clip model and its weights
    memetica models --use ViT-B-32@weights.safetensors  the same model, a checkpoint of yours
    memetica models --use folder                        with open_clip_config.json and weights

    A site that is being served shows its pictures to another model in the background, and switches when it is done;
    `memetica index` does so at once.
    """
    settings = session.settings()
    if spec is not None:
        _use(session, settings, spec)
        return 0
    rows = list(rows_of(settings))
    if session.terminal.as_json:
        for row in rows:
            session.terminal.row(asdict(row))
        return 0
    session.terminal.table(
        ("for", "model", "state", "size", "known for"),
        [(("→ " if one.in_use else "  ") + one.field, one.model, one.state, one.size, one.known_for) for one in rows],
    )
    terminal = session.terminal
    for row in rows:
        if row.command:
            terminal.out.print(f"[dim]{row.field} {row.model}:[/dim] {row.command}")
    if not settings.image_encoder:
        terminal.say("Nothing sees pictures: words find them by what is read and written of them.", style="dim")
    return 0


def _use(session: Session, settings: Settings, spec: str) -> None:
    from dataclasses import replace

    from search.encoders.clip_models import DEFAULT
    from search.encoders.registry import export_image_encoder
    from search.settings import save_setting

    chosen = "" if spec == NONE else _absolute(DEFAULT if spec == DEFAULT_NAME else spec)
    if chosen:
        session.terminal.say(f"Making {chosen} ready; weights that are not here come from the hub.", style="dim")
        name = export_image_encoder(replace(settings, image_encoder=chosen))
        session.terminal.say(f"{name} is ready.")
    save_setting(settings.data, "image_encoder", chosen)
    if "MEMETICA_IMAGE_ENCODER" in os.environ:
        session.terminal.say("MEMETICA_IMAGE_ENCODER in the environment is heard before it.", style="yellow")
    done = f"{chosen} is chosen" if chosen else "No image encoder is chosen"
    session.terminal.say(
        f"{done}. `memetica index` brings the index to it; a site that is being served does by itself."
    )


def _absolute(spec: str) -> str:
    """Return a model's name such that it means the same from any working directory."""
    from search.encoders.clip_models import parse_model_spec

    source = parse_model_spec(spec)
    if source.file is not None:
        return f"{source.model}@{source.file}"
    return str(source.folder) if source.folder is not None and "/" in spec else source.spec


def rows_of(settings: Settings) -> Iterator[ModelRow]:
    """Yield a row for each model that is known, and for the one that is chosen if it is another."""
    from search.encoders.clip_models import KNOWN_MODELS
    from search.encoders.registry import load_text_encoder

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
    if settings.image_encoder and settings.image_encoder not in known:
        yield ModelRow("pictures", settings.image_encoder, True, *_ready(settings, settings.image_encoder), "yours", "")
    for one in KNOWN_MODELS:
        recall = f"COCO text→image R@1 {one.recall:.3f}; " if one.recall is not None else ""
        in_use = one.spec == settings.image_encoder
        state, size = _ready(settings, one.spec)
        yield ModelRow(
            "pictures",
            one.spec,
            in_use,
            state,
            size or f"{one.parameters:,.0f} M parameters",
            f"{recall}{one.known_for} ({one.licence})",
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
    """Return what is here of an image encoder, and what it takes on the disk."""
    from search.encoders.clip import model_folder
    from search.encoders.clip_models import parse_model_spec
    from search.encoders.clip_prepare import find_prepared, hub_cache

    models = settings.data / "models"
    try:
        source = parse_model_spec(spec)
        found = find_prepared(models, spec)
    except MemeticaError as error:
        return error.message, ""
    if found is not None:
        return "ready", _size(model_folder(models, found.name))
    if source.is_local:
        return "here, not made ready", ""
    return ("not ready; the hub's cache is looked at first" if hub_cache().is_dir() else "not here; from the hub"), ""


def _size(folder: Path) -> str:
    bytes_of = sum(file.stat().st_size for file in folder.glob("*") if file.is_file()) if folder.is_dir() else 0
    return f"{bytes_of / 1e6:,.0f} MB" if bytes_of else ""
