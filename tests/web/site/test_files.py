"""Only what was decoded is sent: no other content, no link out of the library, and no file that failed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from search.catalogue import Catalogue
from search.settings import Settings
from tests.support.serving import open_app

PATH = "Dogs/fine.png"
ADDRESS = f"/memes/{PATH}"
FILE = f"/memes/{PATH}?download"


@pytest.fixture
def app(tiny_settings: Settings, tiny_indexed: Catalogue) -> Iterator[Flask]:
    with open_app(tiny_settings) as app:
        yield app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def file(tiny_settings: Settings) -> Path:
    return tiny_settings.library / PATH


def test_a_decoded_file_is_sent_whole_in_part_and_not_again(client: FlaskClient, file: Path) -> None:
    body = file.read_bytes()
    for _ in range(2):  # the second time its content is known
        answer = client.get(FILE)
        assert (answer.status_code, answer.data, answer.content_length) == (200, body, len(body))
    assert answer.headers["ETag"] == f'"{hashlib.sha256(body).hexdigest()}"'
    part = client.get(FILE, headers={"Range": "bytes=4-9"})
    assert (part.status_code, part.data) == (206, body[4:10])
    assert part.headers["Content-Range"] == f"bytes 4-9/{len(body)}"
    assert client.get(FILE, headers={"Range": f"bytes={len(body)}-"}).status_code == 416
    assert client.get(FILE, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    head = client.head(FILE)
    assert (head.status_code, head.data, head.content_length) == (200, b"", len(body))


def test_a_touched_file_is_sent(client: FlaskClient, file: Path) -> None:
    os.utime(file, (1, 1))
    assert client.get(FILE).data == file.read_bytes()


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("kind", ["another picture", "of the same size and time", "in place", "html"])
def test_another_content_is_not_sent(client: FlaskClient, file: Path, kind: str, known: bool) -> None:
    if known:
        assert client.get(FILE).status_code == 200
    before, body = file.stat(), file.read_bytes()
    if kind == "another picture":
        Image.new("RGB", (5, 5)).save(file)
    elif kind == "html":
        file.write_text("<script>alert(1)</script>")
    else:
        changed = body[:-1] + bytes([body[-1] ^ 1])
        if kind == "in place":
            with file.open("r+b") as out:
                out.write(changed)
        else:
            file.unlink()
            file.write_bytes(changed)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    answer = client.get(FILE)
    assert answer.status_code == 404 and "has changed since it was indexed" in answer.text


def test_a_link_out_of_the_library_is_not_sent(client: FlaskClient, file: Path, tmp_path: Path) -> None:
    file.rename(tmp_path / "fine.png")  # even with the right content
    file.symlink_to(tmp_path / "fine.png")
    answer = client.get(FILE)
    assert answer.status_code == 404 and "leads out of the library" in answer.text
    file.parent.rename(tmp_path / "Dogs")
    (tmp_path / "fine.png").rename(tmp_path / "Dogs/fine.png.png")
    file.parent.symlink_to(tmp_path / "Dogs")
    assert client.get(FILE).status_code == 404


def test_what_was_not_decoded_is_not_sent(client: FlaskClient, tiny_indexed: Catalogue, file: Path) -> None:
    content = tiny_indexed.memes.at(PATH).content_hash
    with tiny_indexed.transaction():
        tiny_indexed._database.write("DELETE FROM pictures WHERE content_hash = :hash", {"hash": content})
    answer = client.get(FILE)
    assert answer.status_code == 404 and "was not decoded" in answer.text


def test_a_library_that_is_not_mounted_is_told_and_pages_go_on(
    client: FlaskClient, tiny_indexed: Catalogue, tiny_settings: Settings, tmp_path: Path
) -> None:
    content = tiny_indexed.memes.at(PATH).content_hash
    tiny_settings.library.rename(tmp_path / "away")
    for mounted_on in (False, True):
        if mounted_on:
            tiny_settings.library.mkdir()
        answer = client.get(FILE)
        assert answer.status_code == 503, answer.text
        assert "mounted" in answer.text
        for address in ("/", f"{ADDRESS}.html", f"/thumbnails/{content}.webp"):
            assert client.get(address).status_code == 200


def test_a_file_that_was_removed_is_not_found(client: FlaskClient, file: Path) -> None:
    file.unlink()
    answer = client.get(FILE)
    assert answer.status_code == 404 and "no longer in the library" in answer.text
