"""Switches a serving site to another text encoder: a child process embeds the texts again."""

from __future__ import annotations

from dataclasses import replace

from flask import Flask

from indexer.stages.switch_text_encoder import switch_text_encoder_in_child_process, uses_chosen_text_encoder
from indexer.work.child_process import OnStart
from search.encoders.registry import text_encoder_spec
from search.settings import Settings
from web.background.encoder_watcher import EncoderWatcher, with_stored_choice
from web.context import Site


class TextEncoderWatcher(EncoderWatcher):
    """Watches which text encoder is chosen, and starts a child process that embeds the texts with it."""

    setting = "text_encoder"

    def choice(self) -> Settings:
        """Return the site's settings with the text encoder that is chosen now."""
        chosen = with_stored_choice(self._site.settings, self.setting)
        return replace(chosen, text_encoder=text_encoder_spec(chosen))

    def is_in_use(self, chosen: Settings) -> bool:
        """Return whether the index was made with the chosen encoder; a site with an encoder of its own keeps that."""
        return self._site.has_own_encoder or uses_chosen_text_encoder(chosen)

    def switch(self, chosen: Settings, on_start: OnStart) -> None:
        """Embed the texts with the chosen encoder in a child process."""
        switch_text_encoder_in_child_process(chosen, on_start=on_start)

    def report(self, chosen: Settings) -> None:
        """Make the searcher's status report the chosen encoder."""
        self._site.searcher().choose_text_encoder(chosen.text_encoder, error=self.error)


def register(app: Flask) -> None:
    """Add the watcher; its `start` begins to watch."""
    site: Site = app.extensions["site"]
    app.extensions["text_encoder"] = watcher = TextEncoderWatcher(site)
    site.on_close(watcher.close)
