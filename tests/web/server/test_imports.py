"""What a server imports until a request needs more."""

from __future__ import annotations

import json
import subprocess
import sys

from search.catalogue import Catalogue
from search.settings import Settings

SEARCHES = """
import json, sys
from pathlib import Path
from search.settings import Settings
from tests.support.serving import open_app

library, data, encoder, id, path = sys.argv[1:]
with open_app(Settings(library=Path(library), data=Path(data), ocr_engine="none", text_encoder=encoder)) as app:
    client = app.test_client()
    addresses = ["/", "/?q=robot", "/api/search?q=dog+in+a+burning+room", "/about", "/feed.atom"]
    addresses += [f"/memes/{path}.html", f"/api/memes/{id}/similar", f"/api/memes/{id}"]
    codes = [client.get(address).status_code for address in addresses]
    print(json.dumps([codes, sorted({"cv2", "scipy", "sklearn"} & sys.modules.keys())]))
"""


def test_a_server_that_only_searches_imports_neither_opencv_nor_scipy(
    served_settings: Settings, served: Catalogue
) -> None:
    words = [str(served_settings.library), str(served_settings.data), served_settings.text_encoder]
    meme = served.memes.everything()[0]
    words += [str(meme.id), meme.path]
    run = subprocess.run([sys.executable, "-c", SEARCHES, *words], capture_output=True, text=True, check=True)
    codes, imported = json.loads(run.stdout)
    assert set(codes) <= {200, 302}
    assert imported == []
