"""`memetica models`: the models, their state, and the command that chooses one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click

from indexer.stages.prepare_encoders import prepare_text_encoder
from search.encoders.clip import model_folder
from search.encoders.clip_models import AUTO, KNOWN_MODELS, NONE, parse_model_spec
from search.encoders.clip_prepare import find_prepared
from search.encoders.costs import costs
from search.encoders.coverage import languages_of
from search.encoders.hub import hub_cache
from search.encoders.registry import (
    chosen_image_encoder,
    export_image_encoder,
    image_encoder_spec,
    load_text_encoder,
    text_encoder_spec,
)
from search.encoders.sentence import SentenceManifest, encoder_folder
from search.encoders.sentence_prepare import find_prepared_text
from search.encoders.text_models import KNOWN_TEXT_MODELS, is_text_spec, known_text_model, parse_text_spec
from search.errors import MemeticaError
from search.evidence import percent
from search.settings import Settings, save_setting
from web.cli.command import Command, Session
from web.cli.download_bar import DownloadBar
from web.cli.eyes import value_of_choice

NOT_INSTALLED = "not installed"


@dataclass(frozen=True)
class ModelRow:
    """One model: its purpose, whether it is in use, its state, size and cost, and the command that gets or changes it.

    `milliseconds` are those of one text or picture on this machine, None before the model was first used.
    """

    field: str
    model: str
    in_use: bool
    state: str
    size: str
    known_for: str
    command: str
    license: str = ""
    languages: str = ""
    milliseconds: float | None = None

    @property
    def cost(self) -> str:
        """What one text or picture costs here, in words."""
        if self.milliseconds is None:
            return ""
        return f"{self.milliseconds:.2g} ms" if self.milliseconds < 10 else f"{self.milliseconds:,.0f} ms"

    @property
    def remarks(self) -> str:
        """What it is known for, the languages that it reads, and its licence."""
        return ", ".join(filter(None, (self.languages, self.known_for))) + (
            f" ({self.license})" if self.license else ""
        )


@click.command(
    cls=Command,
    examples=(
        "memetica models",
        "memetica models --use default",
        "memetica models --use built-in",
        "memetica models --use ViT-B-32@weights.safetensors",
        "memetica models --use intfloat/multilingual-e5-small",
        "memetica models --use path/to/folder",
    ),
)
@click.option(
    "--use",
    "spec",
    metavar="MODEL",
    help="Choose what sees the pictures: an open_clip MODEL/WEIGHTS, MODEL@FILE, a folder, or one of `auto`, "
    "`default`, `built-in` and `none`. Or choose what reads the texts: a sentence-transformers model of the hub, "
    "OWNER/NAME, its folder, or `all-MiniLM-L6-v2`.",
)
def models(session: Session, spec: str | None) -> None:
    """Show the models: which are in use, what each is known for and costs here, and how to choose another.

    --use first prepares the model: it is exported and checked. `memetica index` then embeds the pictures or texts with
    it. A running site embeds them in the background and switches to the model when all are embedded. What the model
    before has embedded is kept, so that going back to it costs nothing.
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
        ("model", "for", "state", "size", "one costs", "known for"),
        [
            (("→ " if one.in_use else "  ") + one.model, one.field, one.state, one.size, one.cost, one.remarks)
            for one in rows
        ],
    )
    terminal = session.terminal
    terminal.say(
        "`memetica models --use MODEL` chooses one for texts or pictures, `memetica index --ocr MODEL` one for OCR.",
        style="dim",
    )
    for row in rows:
        if row.state == NOT_INSTALLED and row.command:
            terminal.say(f"{row.model} is not installed: {row.command}", style="dim")
    if not image_encoder_spec(settings):
        terminal.say("There is no image encoder: words find pictures by their OCR text and descriptions.", style="dim")


def _use(session: Session, settings: Settings, spec: str) -> None:
    if is_text_spec(spec):
        _use_for_texts(session, settings, parse_text_spec(spec).spec)
        return
    chosen = value_of_choice(spec)
    if chosen not in ("", AUTO):
        session.terminal.say(f"Preparing {chosen}. Weights that are not on this machine are downloaded.", style="dim")
        with DownloadBar(session.terminal) as bar:
            name = export_image_encoder(replace(settings, image_encoder=chosen), on_download=bar)
        session.terminal.say(f"{name} is ready.")
    _save(session, settings, "image_encoder", chosen)
    done = f"{chosen} is chosen" if chosen else "No image encoder is chosen"
    session.terminal.say(f"{done}. `memetica index` updates the index; a running site updates it by itself.")


def _use_for_texts(session: Session, settings: Settings, chosen: str) -> None:
    session.terminal.say(f"Preparing {chosen}. Files that are not on this machine are downloaded.", style="dim")
    with DownloadBar(session.terminal) as bar:
        encoder = prepare_text_encoder(replace(settings, text_encoder=chosen), on_download=bar)
    session.terminal.say(f"{encoder.name} is ready: {encoder.dimensions} dimensions, reads {languages_of(encoder)}.")
    _save(session, settings, "text_encoder", chosen)
    session.terminal.say(
        f"{chosen} is chosen. `memetica index` updates the index; a running site updates it by itself."
    )


def _save(session: Session, settings: Settings, setting: str, chosen: str) -> None:
    save_setting(settings.data, setting, chosen)
    variable = f"MEMETICA_{setting.upper()}"
    if variable in os.environ:
        session.terminal.say(f"The environment's {variable} takes precedence over this choice.", style="yellow")


def rows_of(settings: Settings) -> Iterator[ModelRow]:
    """Yield a row for each known model, and for a chosen model that is not a known one."""
    known_costs = costs(settings.data / "models")
    yield from _text_rows(settings, known_costs)
    known = {one.spec for one in KNOWN_MODELS}
    chosen = image_encoder_spec(settings)
    if chosen and chosen not in known:
        cost = known_costs.get(chosen_image_encoder(settings))
        yield ModelRow("pictures", chosen, True, *_ready(settings, chosen), "yours", "", milliseconds=cost)
    for one in KNOWN_MODELS:
        recall = f"; of 5,000 photographs the right one first: {percent(one.recall)}" if one.recall is not None else ""
        in_use = one.spec == chosen
        state, size = _ready(settings, one.spec)
        yield ModelRow(
            "pictures",
            one.spec,
            in_use,
            state,
            size or f"{one.parameters:,.0f} M parameters",
            f"{one.known_for}{recall}",
            f"memetica models --use {one.spec if not in_use else NONE}",
            license=one.license,
            milliseconds=known_costs.get(chosen_image_encoder(replace(settings, image_encoder=one.spec))),
        )
    for engine in ("rapidocr", "tesseract"):
        here = engine == "rapidocr" or shutil.which("tesseract") is not None
        yield ModelRow(
            "OCR",
            engine,
            engine == settings.ocr_engine,
            "ready" if here else NOT_INSTALLED,
            "",
            "comes with Memetica" if engine == "rapidocr" else "a program of the system",
            f"memetica index --ocr {engine}" if here else "apt-get install tesseract-ocr",
        )


def _text_rows(settings: Settings, known_costs: Mapping[str, float]) -> Iterator[ModelRow]:
    """Yield a row for each known text encoder, and for the chosen one when it is not a known one."""
    chosen = text_encoder_spec(settings)
    if known_text_model(chosen) is None:
        state, size, manifest = _text_state(settings, chosen)
        yield ModelRow(
            "texts",
            chosen,
            True,
            state,
            size,
            "yours" if manifest is None else f"{manifest.max_tokens or 'any number of'} tokens",
            "",
            license="" if manifest is None else manifest.license,
            languages="" if manifest is None else languages_of(load_text_encoder(settings, manifest.name)),
            milliseconds=known_costs.get(manifest.name) if manifest is not None else None,
        )
    for one in KNOWN_TEXT_MODELS:
        state, size, manifest = _text_state(settings, one.spec)
        yield ModelRow(
            "texts",
            one.spec,
            one.spec == chosen,
            state,
            size or f"{one.parameters:,.0f} M parameters",
            one.known_for,
            "" if one.spec == chosen else f"memetica models --use {one.spec}",
            license=one.license,
            languages=one.languages,
            milliseconds=known_costs.get(one.spec if manifest is None else manifest.name),
        )


def _text_state(settings: Settings, spec: str) -> tuple[str, str, SentenceManifest | None]:
    """Return the state of a text encoder, its size on disk, and its manifest if it is exported."""
    models = settings.data / "models"
    try:
        source = parse_text_spec(spec)
        if source.is_packaged:
            if not (models / spec).is_dir():
                return "not prepared yet: `memetica index` prepares it", "", None
            load_text_encoder(replace(settings, text_encoder=spec))
            return "ready", _size(models / spec), None
        manifest = find_prepared_text(models, spec)
    except MemeticaError as error:
        return error.message, "", None
    if manifest is not None:
        return "ready", _size(encoder_folder(models, manifest.name)), manifest
    if source.folder is not None:
        return "on this machine, not prepared", "", None
    return "to be downloaded", "", None


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
