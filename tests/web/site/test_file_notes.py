"""What a meme's page says of its file: that it is damaged though it is shown, or may not play."""

from __future__ import annotations

import pytest

from indexer.library.scan import scan_library
from indexer.stages.decode import decode_memes
from indexer.work.progress import SILENT
from search.catalogue.pictures import PictureRecord
from search.meme import MediaType
from search.workspace import Workspace
from tests.support.curating import sign_in
from tests.support.serving import open_app

PATH = "Dogs/fine.png"


def page(workspace: Workspace, *, type: MediaType, codec: str, damage: str = "") -> str:
    """Return the page of a meme whose file was decoded with this result."""
    content_hash = workspace.catalogue.memes.at(PATH).content_hash
    decoded = PictureRecord(content_hash, 64, 48, 1, None, type, "", "test", codec=codec, damage=damage)
    workspace.catalogue.pictures.put(decoded, [])
    with open_app(workspace.settings) as app:
        return app.test_client().get(f"/memes/{PATH}.html").get_data(as_text=True)


@pytest.mark.parametrize(
    ("type", "codec", "told"),
    [
        (MediaType.VIDEO, "hevc", True),
        (MediaType.VIDEO, "prores", True),
        (MediaType.VIDEO, "mpeg4", True),
        (MediaType.VIDEO, "h264", False),
        (MediaType.VIDEO, "av1", False),
        (MediaType.VIDEO, "", False),
        (MediaType.IMAGE, "webp-lossless", False),
    ],
)
def test_a_video_that_some_browsers_cannot_play_is_told(
    workspace: Workspace, type: MediaType, codec: str, told: bool
) -> None:
    shown = page(workspace, type=type, codec=codec)
    assert ("may not play" in shown) is told
    assert not told or codec.upper() in shown


@pytest.mark.parametrize("damage", ["", "Its end is missing: 97 % is there."])
def test_what_is_missing_of_a_damaged_file_is_told(workspace: Workspace, damage: str) -> None:
    shown = page(workspace, type=MediaType.IMAGE, codec="jpeg", damage=damage)
    assert ("The file is damaged." in shown) is bool(damage)
    assert damage.replace(" %", "\N{NO-BREAK SPACE}%") in shown


def test_a_video_that_cannot_be_decoded_is_told_and_not_asked_for(workspace: Workspace) -> None:
    (workspace.library / "Dogs" / "broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(200))
    scan_library(workspace.library, workspace.catalogue, progress=SILENT)
    decode_memes(workspace, progress=SILENT)
    with open_app(workspace.settings) as app:
        client = app.test_client()
        shown = client.get("/memes/Dogs/broken.mp4.html").get_data(as_text=True)
        assert client.get("/memes/Dogs/broken.mp4").status_code == 404
        # The curator is told why.
        assert "was not decoded yet" in shown
        sign_in(client, workspace.data)
        (failure,) = workspace.catalogue.failures.of("Dogs/broken.mp4")
        told = client.get("/memes/Dogs/broken.mp4.html").get_data(as_text=True)
        assert failure.reason in told and "was not decoded yet" not in told
        # No index has it yet.
        assert client.get("/memes/Dogs/broken.mp4.html").status_code == 200
    assert "This file cannot be shown" in shown and "<video" not in shown
