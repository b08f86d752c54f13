"""Switches a serving site to another image encoder: a child process embeds the pictures again."""

from __future__ import annotations

from dataclasses import replace

from flask import Flask

from indexer.stages.switch_image_encoder import switch_in_child_process, uses_chosen_encoder
from indexer.work.child_process import OnStart
from search.encoders.clip_models import BUILT_IN
from search.encoders.registry import image_encoder_spec
from search.settings import Settings
from web.background.encoder_watcher import EncoderWatcher, with_stored_choice
from web.context import Site


class ImageEncoderWatcher(EncoderWatcher):
    """Watches which image encoder is chosen, and starts a child process that embeds the pictures with it."""

    setting = "image_encoder"

    def choice(self) -> Settings:
        """Return the site's settings with the image encoder that is chosen now."""
        return current_choice(self._site.settings)

    def is_in_use(self, chosen: Settings) -> bool:
        """Return whether the index was made with the chosen encoder."""
        return uses_chosen_encoder(chosen)

    def switch(self, chosen: Settings, on_start: OnStart) -> None:
        """Embed the pictures with the chosen encoder in a child process."""
        switch_in_child_process(chosen, on_start=on_start)

    def report(self, chosen: Settings) -> None:
        """Make the searcher's status report the chosen encoder."""
        self._site.searcher().choose(chosen.image_encoder, error=self.error)


def current_choice(settings: Settings) -> Settings:
    """Return the site's settings with the model that the choice of now stands for, also for `auto` and other words.

    An empty name is a choice too: no image encoder.
    """
    chosen = with_stored_choice(settings, ImageEncoderWatcher.setting)
    return replace(chosen, image_encoder=image_encoder_spec(chosen, otherwise=BUILT_IN))


def register(app: Flask) -> None:
    """Add the watcher; its `start` begins to watch."""
    site: Site = app.extensions["site"]
    app.extensions["image_encoder"] = watcher = ImageEncoderWatcher(site)
    site.on_close(watcher.close)
