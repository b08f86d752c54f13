"""The bookmarklet of the documentation, run on a page of another site."""

from __future__ import annotations

import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from search.catalogue import UploadState, open_catalogue
from search.settings import Settings
from tests.support.browsing import chromium, serving
from tests.support.paths import ROOT
from tests.support.uploading import drawn
from web.access.keys import Scope, add_key


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.browser
def test_the_bookmarklet_puts_the_largest_picture_into_the_inbox(uploads_settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "a meme.png").write_bytes(drawn(5))
    (folder / "index.html").write_text('<img src="a%20meme.png"><img src="a%20meme.png" width="1">')
    elsewhere = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
    page_text = (ROOT / "docs" / "how-to" / "use-the-api.md").read_text("utf-8")
    [code] = re.findall(r"```js\njavascript:(.*?)```", page_text, re.DOTALL)
    try:
        with serving(uploads_settings) as address, chromium() as browser:
            key = add_key(uploads_settings.data, "bookmarklet", [Scope.UPLOAD])
            code = code.replace("http://127.0.0.1:8000", address).replace("memetica-…", key)
            page = browser.new_page()
            said: list[str] = []
            page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.accept()))
            page.goto(f"http://127.0.0.1:{elsewhere.server_address[1]}/")
            page.evaluate(code.strip().removesuffix(";"))
            assert said == ["In the inbox: a meme.png"]
            page.evaluate(code.strip().removesuffix(";").replace(key, key[:-2]))
            assert "unknown or was revoked" in said[1]
    finally:
        elsewhere.shutdown()
    with open_catalogue(uploads_settings) as catalogue:
        assert [one.received_by for one in catalogue.uploads.in_state(*UploadState)] == ["key:bookmarklet"]
