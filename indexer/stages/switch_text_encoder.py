"""Switch the index to another text encoder, in the background of a running site.

The embeddings of the one before stay in the catalogue, so that switching back embeds only what is new.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from indexer.stages.build_index import build_index
from indexer.stages.embed_texts import embed_passages, split_texts
from indexer.stages.prepare_encoders import prepare_text_encoder
from indexer.stages.weigh_texts import weigh_texts
from indexer.work.child_process import OnStart, child_main, run_child
from indexer.work.progress import SILENT, Progress
from search.catalogue import open_catalogue
from search.encoders.clip_models import spec_of
from search.encoders.registry import text_encoder_spec
from search.errors import ModelUnavailable
from search.index.generations import Manifest, live_image_encoder, live_manifest
from search.settings import Settings, load_settings
from search.workspace import Workspace


def switch_text_encoder(workspace: Workspace, *, progress: Progress = SILENT) -> Manifest:
    """Embed all passages with the text encoder of the settings, build the index with it and return the manifest.

    The index is unchanged until the last passage is embedded: rows of two encoders are never searched together. An
    interrupted run continues with the next one. Raises ModelUnavailable when the model cannot be loaded or downloaded.
    """
    catalogue = workspace.catalogue
    encoder = prepare_text_encoder(workspace.settings)
    while True:
        split_texts(catalogue)
        done = embed_passages(catalogue, encoder, progress=progress)
        weigh_texts(catalogue, encoder=encoder.name)
        built = build_index(
            workspace,
            text_encoder=encoder.name,
            image_encoder=live_image_encoder(workspace.index),
            progress=progress,
        )
        # Memes that came meanwhile were embedded by the encoder before.
        if not done or not catalogue.embeddings.count_missing_passages(encoder.name):
            return built


def uses_chosen_text_encoder(settings: Settings) -> bool:
    """Return whether the index was made with the text encoder of the settings; True without an index."""
    live = live_manifest(settings.data / "index")
    return live is None or spec_of(live.text_encoder) == text_encoder_spec(settings)


def switch_text_encoder_in_child_process(settings: Settings, *, on_start: OnStart = lambda child: None) -> None:
    """Run `switch_text_encoder` in a child process; raise ModelUnavailable when it fails."""
    arguments = (settings.data, settings.library, settings.text_encoder, settings.threads)
    reason = run_child("indexer.stages.switch_text_encoder", *map(str, arguments), on_start=on_start)
    if reason is not None:
        raise ModelUnavailable(reason)


def _main(data: str, library: str, text_encoder: str, threads: str) -> None:
    # The environment's settings apply here too. Half of the threads stay free for searches.
    arguments = {"data": Path(data), "library": Path(library), "threads": max(1, int(threads) // 2)}
    settings = replace(load_settings(arguments), text_encoder=text_encoder)
    with open_catalogue(settings, create=False) as catalogue:
        switch_text_encoder(Workspace(settings, catalogue))


if __name__ == "__main__":
    child_main(_main)
