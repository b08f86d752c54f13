"""A library for uploads, the site over it, and a curator who is signed in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from search.settings import Settings
from tests.support.curating import sign_in
from tests.support.serving import open_app


@pytest.fixture
def settings(uploads_settings: Settings) -> Settings:
    return uploads_settings


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    with open_app(settings) as app:
        yield app


@pytest.fixture
def client(app: Flask, settings: Settings) -> FlaskClient:
    client = app.test_client()
    client.environ_base["HTTP_X_CSRF_TOKEN"] = sign_in(client, settings.data)
    return client
