"""Pictures and videos that browsers do not show are read, in the library and by the page."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.inbox.reception import suffix_by_content
from indexer.media.decode_file import decode_file
from indexer.media.thumbnails import still_path, thumbnail_path
from indexer.pipeline import index_library
from indexer.stages.decode import decode_memes, missing_pictures
from indexer.work.progress import SILENT
from search.catalogue import open_catalogue
from search.errors import UnreadableFile
from search.meme import plays_in_browsers
from search.settings import Settings
from search.workspace import Workspace
from tests.support.fakes import HashingTextEncoder
from tests.support.hostile_pictures import make_film
from tests.support.serving import open_app

RED, WHITE = (200, 30, 40), (255, 255, 255)
TURNED = 0x0112


def flag() -> Image.Image:
    """Return a picture whose left half is red, 60 × 40 pixels."""
    picture = Image.new("RGB", (60, 40), WHITE)
    picture.paste(RED, (0, 0, 30, 40))
    return picture


def encoded(form: str, picture: Image.Image | None = None, **how: object) -> bytes:
    """Return a picture as HEIF, JXL or TIFF."""
    out = io.BytesIO()
    if form == "HEIF":
        heif = pytest.importorskip("pillow_heif")
        heif.from_pillow(picture or flag()).save(out, **how)
    else:
        if form == "JXL":
            pytest.importorskip("pillow_jxl")
        (picture or flag()).save(out, form, **how)
    return out.getvalue()


def decoded(content: bytes, folder: Path):
    file = folder / "x"
    file.write_bytes(content)
    return decode_file(file, max_pixels=10**6, max_bytes=10**8)


@pytest.mark.parametrize(
    ("form", "kind", "how"),
    [
        ("HEIF", "image/heic", {}),
        ("JXL", "image/jxl", {"lossless": True}),
        ("TIFF", "image/tiff", {}),
        ("TIFF", "image/tiff", {"compression": "tiff_lzw"}),
        ("TIFF", "image/tiff", {"compression": "jpeg"}),
    ],
)
def test_pictures_of_phones_and_cameras_are_read(tmp_path: Path, form: str, kind: str, how: dict[str, object]) -> None:
    seen = decoded(encoded(form, **how), tmp_path)
    assert (seen.width, seen.height, seen.content_type, seen.damage) == (60, 40, kind, "")
    assert np.abs(np.asarray(seen.pictures[0], int) - np.asarray(flag(), int)).mean() < 8
    assert not plays_in_browsers(seen.type, seen.content_type, seen.codec)
    assert suffix_by_content(tmp_path / "x", "photo.jpg") == {"HEIF": ".heic", "JXL": ".jxl", "TIFF": ".tif"}[form]


def test_a_turned_tiff_is_upright_and_its_further_pages_are_no_animation(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[TURNED] = 6
    content = encoded("TIFF", exif=exif, save_all=True, append_images=[Image.new("RGB", (9, 9))])
    seen = decoded(content, tmp_path)
    assert (seen.type.value, seen.width, seen.height) == ("image", 40, 60)
    assert seen.pictures[0].getpixel((20, 5))[1] < 60 < seen.pictures[0].getpixel((20, 55))[1]


def test_a_raw_photograph_is_not_taken_for_its_preview(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="raw photograph"):
        decoded(encoded("TIFF", tiffinfo={254: 1}), tmp_path)


@pytest.mark.parametrize(("form", "name"), [("HEIF", "pillow_heif"), ("JXL", "pillow_jxl")])
def test_a_missing_package_is_named(tmp_path: Path, form: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded(form)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UnreadableFile) as caught:
        decoded(content, tmp_path)
    assert "not installed" in caught.value.message and "pip install pillow-" in caught.value.hint


@pytest.mark.parametrize("form", ["HEIF", "JXL", "TIFF"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_a_file_cut_short_is_shown_or_refused_with_a_sentence(tmp_path: Path, form: str, share: float) -> None:
    content = encoded(form, Image.effect_noise((90, 90), 60).convert("RGB"))
    try:
        seen = decoded(content[: int(len(content) * share)], tmp_path)
    except UnreadableFile as error:
        assert error.message and error.hint
    else:
        assert seen.damage


@pytest.mark.parametrize(
    ("container", "codec", "kind"),
    [
        ("avi", "mpeg4", "video/x-msvideo"),
        ("asf", "wmv2", "video/x-ms-wmv"),
        ("flv", "flv", "video/x-flv"),
        ("mpeg", "mpeg1video", "video/mpeg"),
        ("mpegts", "mpeg2video", "video/mp2t"),
        ("matroska", "mpeg4", "video/x-matroska"),
        ("3gp", "mpeg4", "video/mp4"),
    ],
)
def test_videos_in_other_containers_are_read(tmp_path: Path, container: str, codec: str, kind: str) -> None:
    seen = decoded(make_film(container, codec, frames=50), tmp_path)
    assert (seen.type.value, seen.content_type, seen.codec) == ("video", kind, codec)
    assert (seen.width, seen.height) == (64, 48) and 3 <= len(seen.pictures) <= 5
    assert not plays_in_browsers(seen.type, seen.content_type, seen.codec)


def black_start(form: str) -> bytes:
    """Return an animation whose first frames are black and whose others show the flag."""
    out = io.BytesIO()
    frames = [Image.new("RGB", (60, 40)), flag(), flag().rotate(180), flag()]
    frames[0].save(out, form, save_all=True, append_images=frames[1:], duration=200)
    return out.getvalue()


def test_index_and_pages_show_what_browsers_do_not(tmp_path: Path) -> None:
    folder = tmp_path / "memes" / "Cats"
    folder.mkdir(parents=True)
    (folder / "scan.tif").write_bytes(encoded("TIFF"))
    (folder / "old.avi").write_bytes(make_film("avi", "mpeg4", frames=50))
    black = {"black.gif": "GIF", "black.webp": "WEBP", "black.avif": "AVIF"}
    for name, form in black.items():
        (folder / name).write_bytes(black_start(form))
    settings = Settings(
        data=tmp_path / "data",
        library=tmp_path / "memes",
        ocr_engine="none",
        text_encoder=HashingTextEncoder.name,
    )
    with open_catalogue(settings) as catalogue:
        workspace = Workspace(settings, catalogue)
        index_library(workspace, load_encoder=lambda _: HashingTextEncoder())
        for name in black:
            seen = workspace.catalogue.memes.at(f"Cats/{name}")
            with Image.open(thumbnail_path(workspace.data, seen.content_hash)) as shown:
                assert np.asarray(shown.convert("L")).std() > 20, name
        scan, film = (workspace.catalogue.memes.at(f"Cats/{name}") for name in ("scan.tif", "old.avi"))
        still_path(workspace.data, scan.content_hash, 0).write_bytes(b"")
        assert [one.path for one in missing_pictures(workspace)] == ["Cats/scan.tif"]
        decode_memes(workspace, progress=SILENT)
        assert missing_pictures(workspace) == []
    with open_app(settings) as app:
        client = app.test_client()
        page = client.get("/memes/Cats/scan.tif.html").text
        assert f'<img src="/thumbnails/{scan.content_hash}.0.webp"' in page and "TIFF pictures" in page
        assert client.get("/memes/Cats/scan.tif?download").data == encoded("TIFF")
        shown = Image.open(io.BytesIO(client.get(f"/thumbnails/{scan.content_hash}.0.webp").data))
        assert shown.size == (60, 40)
        page = client.get("/memes/Cats/old.avi.html").text
        assert page.count(f'<img src="/thumbnails/{film.content_hash}.') >= 3 and "(MPEG4)" in page
        assert client.get(f"/thumbnails/{film.content_hash}.9.webp").status_code == 404
