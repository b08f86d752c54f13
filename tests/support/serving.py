"""The site over a test's own data folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flask import Flask
from jinja2 import Undefined
from jinja2.exceptions import UndefinedError
from jinja2.utils import missing

from search.catalogue import open_catalogue
from search.settings import Settings
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder
from web.app import create_app


class CheckedUndefined(Undefined):
    """Makes a template fail that names an attribute which an object does not have: Jinja would print nothing."""

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = missing,
        name: str | None = None,
        exc: type[UndefinedError] = UndefinedError,
    ) -> None:
        super().__init__(hint, obj, name, exc)
        if obj is not missing and not isinstance(obj, Mapping | Undefined):
            raise UndefinedError(f"{type(obj).__name__} has no attribute {name}")


def app_over(settings: Settings) -> Flask:
    """Return the site over a data folder, with the hashing text encoder; `close_app` closes it.

    For its rate limits time stands still: however slowly a test asks, they count the same.
    """
    workspace = Workspace(settings, open_catalogue(settings))
    app = create_app(workspace, text_encoder=HashingTextEncoder(), clock=lambda: 0.0)
    app.jinja_env.undefined = CheckedUndefined
    return app


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
