"""The curator's side in tests: signing in, and forms sent as a page of ours sends them."""

from __future__ import annotations

import re
from pathlib import Path

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from web.credentials import set_password

PASSWORD = "this is fine, said the dog"


def token_in(page: str) -> str:
    """Return the CSRF token that a page's forms carry."""
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found, "the page has no form of the curator"
    return found[1]


def guess(client: FlaskClient, password: str, **more: str) -> TestResponse:
    """Load the sign-in page and send a password from it."""
    token = token_in(client.get("/sign-in").text)
    return client.post("/sign-in", data={"csrf": token, "password": password, **more})


def sign_in(client: FlaskClient, data: Path) -> str:
    """Set the password, sign in with it, and return the CSRF token of the session."""
    set_password(data, PASSWORD)
    assert guess(client, PASSWORD).status_code == 303
    return token_in(client.get("/curator").text)
