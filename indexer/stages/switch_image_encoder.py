"""Switch the index to another image encoder, in the background of a running site."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from indexer.stages.build_index import build_index
from indexer.stages.embed_images import embed_images
from indexer.stages.prepare_encoders import prepare_image_encoder
from indexer.work.child_process import OnStart, child_main, run_child
from indexer.work.progress import SILENT, Progress
from search.catalogue import open_catalogue
from search.encoders.clip_models import spec_of
from search.encoders.registry import image_encoder_spec
from search.errors import ModelUnavailable
from search.index.generations import Manifest, live_manifest
from search.index.text_encoder import text_encoder_in_use
from search.settings import Settings, load_settings
from search.workspace import Workspace


def switch_image_encoder(workspace: Workspace, *, progress: Progress = SILENT) -> Manifest:
    """Embed all pictures with the image encoder of the settings, build the index with it and return the manifest.

    The index is unchanged until the last picture is embedded: rows of two encoders are never searched together.
    Raises ModelUnavailable when the weights cannot be loaded or downloaded.
    """
    encoder = prepare_image_encoder(workspace.settings)
    if encoder is not None:
        embed_images(workspace, encoder, progress=progress)
    return build_index(
        workspace,
        text_encoder=text_encoder_in_use(workspace.settings),
        image_encoder=encoder.name if encoder is not None else "",
        progress=progress,
    )


def uses_chosen_encoder(settings: Settings) -> bool:
    """Return whether the index was made with the image encoder of the settings; True without an index."""
    live = live_manifest(settings.data / "index")
    return live is None or spec_of(live.image_encoder) == image_encoder_spec(settings)


def switch_in_child_process(settings: Settings, *, on_start: OnStart = lambda child: None) -> None:
    """Run `switch_image_encoder` in a child process; raise ModelUnavailable when it fails."""
    arguments = (settings.data, settings.library, settings.text_encoder, settings.image_encoder, settings.threads)
    reason = run_child("indexer.stages.switch_image_encoder", *map(str, arguments), on_start=on_start)
    if reason is not None:
        raise ModelUnavailable(reason)


def _main(data: str, library: str, text_encoder: str, image_encoder: str, threads: str) -> None:
    # The environment's settings apply here too. Half of the threads stay free for searches.
    arguments = {"data": Path(data), "library": Path(library), "threads": max(1, int(threads) // 2)}
    settings = replace(load_settings(arguments), text_encoder=text_encoder, image_encoder=image_encoder)
    with open_catalogue(settings, create=False) as catalogue:
        switch_image_encoder(Workspace(settings, catalogue))


if __name__ == "__main__":
    child_main(_main)
