"""Uploads in tests: pictures drawn for them, a library to bring them into, and the requests that they come by."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from PIL import Image, ImageDraw

from indexer.library.scan import scan_library
from indexer.stages.build_index import build_index
from indexer.stages.decode import decode_memes
from indexer.stages.embed_texts import embed_passages, split_texts
from indexer.stages.find_duplicates import find_duplicates
from indexer.work.progress import SILENT
from search.catalogue import open_catalogue
from search.settings import Settings
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder
from tests.support.tiny import draw_tiny_library
from tests.support.waiting import PATIENCE

REST = PATIENCE  # for the workers


def settings_in(folder: Path) -> Settings:
    """Return the settings of a library in a folder whose words nothing reads."""
    return Settings(
        library=folder / "memes", data=folder / "data", ocr_engine="none", text_encoder=HashingTextEncoder.name
    )


def indexed_library(folder: Path) -> Settings:
    """Draw the tiny library into a folder, index and compare it, and return its settings."""
    draw_tiny_library(folder / "memes")
    settings = settings_in(folder)
    with open_catalogue(settings) as catalogue:
        scan_library(settings.library, catalogue, progress=SILENT)
        decode_memes(Workspace(settings, catalogue), progress=SILENT)
        find_duplicates(Workspace(settings, catalogue), progress=SILENT)
        split_texts(catalogue)
        embed_passages(catalogue, HashingTextEncoder(), progress=SILENT)
        build_index(Workspace(settings, catalogue), text_encoder=settings.text_encoder)
    return settings


def drawn(seed: int = 1, *, form: str = "PNG", **how: Any) -> bytes:
    """Return the bytes of a picture that is like none of the tiny library's."""
    picture = Image.new("RGB", (260, 200), ("gold", "navy", "olive", "maroon")[seed % 4])
    pen = ImageDraw.Draw(picture)
    for step in range(9):
        pen.line((5 + 23 * step, 5, 250 - 11 * seed * step % 240, 190), fill=("black", "white")[step % 2], width=5)
    out = io.BytesIO()
    picture.save(out, form, **how)
    return out.getvalue()


def send(client: FlaskClient, *files: tuple[str, bytes]) -> Any:
    """Send files to the inbox."""
    return client.post("/api/inbox", data={"file": [(io.BytesIO(body), name) for name, body in files]})


def put_in(app: Flask, client: FlaskClient, name: str, body: bytes) -> dict[str, Any]:
    """Send a file, wait until it was examined, and return its row."""
    sent = send(client, (name, body))
    assert sent.status_code == 201, sent.json
    assert app.extensions["inbox"].wait_until_idle(REST)
    found: Any = client.get(f"/api/inbox/{sent.json['uploads'][0]['id']}").json
    return dict(found)


def accepted(app: Flask, client: FlaskClient, id: int, category: str, **more: str) -> dict[str, Any]:
    """Accept an upload, wait until the index knows it, and return its row."""
    answer: Any = client.post(f"/api/inbox/{id}/accept", json={"category": category, **more})
    assert answer.status_code == 200, answer.json
    assert app.extensions["inbox"].wait_until_idle(REST)
    found: Any = client.get(f"/api/inbox/{id}").json
    return dict(found)


def files_of(library: Path) -> dict[str, str]:
    """Return the SHA-256 of every file in a folder, by its path."""
    return {
        file.relative_to(library).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in library.rglob("*")
        if file.is_file()
    }
