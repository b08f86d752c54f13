"""The site over a test's own data folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask

from search.catalogue import open_catalogue
from search.settings import Settings
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder
from web.app import create_app


def app_over(settings: Settings) -> Flask:
    """Return the site over a data folder, with the hashing text encoder; `close_app` closes it."""
    return create_app(Workspace(settings, open_catalogue(settings)), text_encoder=HashingTextEncoder())


def close_app(app: Flask) -> None:
    """Stop the workers of a site and close everything that it holds open."""
    site = app.extensions["site"]
    site.close()
    site.workspace.close()


@contextmanager
def open_app(settings: Settings) -> Iterator[Flask]:
    """Yield the site over a data folder, and close it afterwards."""
    app = app_over(settings)
    try:
        yield app
    finally:
        close_app(app)
