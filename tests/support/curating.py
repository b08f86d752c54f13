"""The curator's side in tests: signing in, and forms sent as a page of ours sends them."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from flask.testing import FlaskClient
from PIL import Image, ImageDraw
from werkzeug.test import TestResponse

from search.catalogue import Catalogue
from search.catalogue.pairs import Pair
from search.evidence import Edit, Evidence, Tier, Trace
from web.curator import passwords

PASSWORD = "this is fine, said the dog"


QuickHasher = partial(PasswordHasher, time_cost=1, memory_cost=8, parallelism=1)  # in place of the slow real one


def set_quick_password(data: Path, password: str = PASSWORD) -> None:
    """Set a password whose hash, and each comparison with it, take no .1 s of processor time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "PasswordHasher", QuickHasher)
        passwords.set_password(data, password)


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
    set_quick_password(data)
    assert guess(client, PASSWORD).status_code == 303
    return token_in(client.get("/curator").text)


def draw_duplicates(library: Path) -> None:
    """Add to the tiny library a copy, a smaller copy, a crop and a variant of some of its memes."""
    fine = library / "Dogs/fine.png"
    (library / "Cats/fine again.png").write_bytes(fine.read_bytes())
    with Image.open(library / "Cats/monday.png") as monday:
        monday.resize((60, 45)).save(library / "Dogs/monday small.jpg", quality=40)
    (library / "Dogs/monday small.jpg.first-seen.txt").write_text("2019-01-01T00:00:00Z")
    (library / "Dogs/monday small.jpg.small-artist.simple-description.txt").write_text("A cat hates its clock.")
    with Image.open(library / "Robots/toaster.png") as toaster:
        toaster.crop((4, 4, 150, 86)).save(library / "Cats/toaster cropped.png")
    with Image.open(library / "Robots/no words.png") as plain:
        ImageDraw.Draw(plain).rectangle((10, 60, 100, 80), fill="yellow")
        plain.save(library / "Robots/some words.png")


ALIKE = (
    (
        "Cats/monday.png",
        "Dogs/monday small.jpg",
        Evidence(Tier.SAME, (), 8, 0, 1.0, 1.0, 0.0, text=0.98, traces_other=(Trace.RESIZED,)),
    ),
    ("Robots/toaster.png", "Cats/toaster cropped.png", Evidence(Tier.EDITED, (Edit.CROP,), 40, 210, 0.9, 1.0, 0.0)),
    ("Robots/no words.png", "Robots/some words.png", Evidence(Tier.VARIANT, pdq=30, differing=0.1)),
)


def add_pairs(catalogue: Catalogue) -> None:
    """Let the catalogue know what a comparison would have found of the drawn duplicates."""
    catalogue.pairs.add(
        Pair(catalogue.memes.at(one).content_hash, catalogue.memes.at(other).content_hash, evidence)
        for one, other, evidence in ALIKE
    )
