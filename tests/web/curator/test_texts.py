"""The curator's pages about texts: unreadable OCR text and contradictions are shown until they are decided."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from indexer.ocr.engines import Line, Reading, reading_of
from indexer.stages.embed_texts import embed_passages, split_texts
from indexer.work.progress import SILENT
from search.catalogue import Catalogue, ReadingRecord, TextReview
from search.catalogue.database import text_hash
from search.meme import TextKind
from search.settings import Settings
from tests.indexer.stages.test_weigh_texts import FINE, OTHER, reading
from tests.support.curating import sign_in
from tests.support.fakes import HashingTextEncoder
from tests.support.serving import app_over, close_app


@pytest.fixture
def client(tiny_settings: Settings, tiny_indexed: Catalogue) -> Iterator[FlaskClient]:
    app = app_over(tiny_settings)
    yield app.test_client()
    close_app(app)


def test_visitors_are_redirected_to_the_sign_in_page(client: FlaskClient) -> None:
    for path in ("/curator/reading", "/curator/contradictions"):
        assert client.get(path).status_code == 303
        assert client.post(f"{path}/1").status_code == 303


def test_the_worst_ocr_text_is_shown_with_its_boxes_until_it_is_reviewed(
    client: FlaskClient, tiny_settings: Settings, tiny_indexed: Catalogue
) -> None:
    meme = tiny_indexed.memes.at("Robots/no words.png")
    tiny_indexed.readings.put(reading("xqzrt <b>", confidence=0.4, content=meme.content_hash))
    token = sign_in(client, tiny_settings.data)
    page = client.get("/curator/reading").text
    assert "xqzrt &lt;b&gt;" in page and "<polygon" in page and "1 left" in page
    form = {"csrf": token, "source": "engine-1", "decision": "right"}
    assert client.post(f"/curator/reading/{meme.id}", data=form).status_code == 303
    assert "No text waits for review" in client.get("/curator/reading").text
    client.post(f"/curator/reading/{meme.id}", data=form | {"decision": "open"})
    assert "xqzrt" in client.get("/curator/reading").text
    assert client.post(f"/curator/reading/{meme.id}", data=form | {"csrf": "x"}).status_code == 403
    assert client.post(f"/curator/reading/{meme.id}", data=form | {"decision": "x"}).status_code == 400


def test_a_picture_is_read_again_with_the_other_engine(
    client: FlaskClient, tiny_settings: Settings, tiny_indexed: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Other:
        name = "tesseract-9"

        def read(self, picture: object) -> Reading:
            return reading_of([Line("all is well", 0.9, ((0, 0), (1, 0), (1, 1), (0, 1)))])

    monkeypatch.setattr("web.curator.texts._engine", lambda name: Other())
    meme = tiny_indexed.memes.at("Robots/no words.png")
    tiny_indexed.readings.put(reading("xqzrt vbnm", confidence=0.4, content=meme.content_hash))
    token = sign_in(client, tiny_settings.data)
    form = {"csrf": token, "source": "engine-1", "decision": "again"}
    assert client.post(f"/curator/reading/{meme.id}", data=form).status_code == 303
    assert tiny_indexed.readings.ocr(meme.content_hash)[0].body == "all is well"
    assert "No text waits for review" in client.get("/curator/reading").text


def test_a_text_that_was_marked_wrong_is_not_shown_again(
    client: FlaskClient, tiny_settings: Settings, tiny_indexed: Catalogue
) -> None:
    meme = tiny_indexed.memes.at("Dogs/fine.png")
    for source, body in (("good", FINE), ("bad", OTHER)):
        tiny_indexed.readings.put(ReadingRecord(meme.content_hash, TextKind.SIMPLE, source, body))
    split_texts(tiny_indexed)
    embed_passages(tiny_indexed, HashingTextEncoder(), progress=SILENT)
    token = sign_in(client, tiny_settings.data)
    page = client.get("/curator/contradictions").text
    assert "Dogs/fine.png" in page and "sunglasses" in page
    form = {"csrf": token, "text": "simple-description bad", "decision": "wrong"}
    assert client.post(f"/curator/contradictions/{meme.id}", data=form).status_code == 303
    bad = next(text for text in tiny_indexed.texts.of(meme) if text.source == "bad")
    reviews = tiny_indexed.text_reviews.of(meme.content_hash)
    assert reviews[(bad.kind, bad.source, text_hash(bad.body))] is TextReview.WRONG
    assert "There are no contradictions" in client.get("/curator/contradictions").text
    client.post(f"/curator/contradictions/{meme.id}", data=form | {"decision": "open"})
    assert "sunglasses" in client.get("/curator/contradictions").text
    client.post(f"/curator/contradictions/{meme.id}", data=form | {"decision": "right"})
    assert "There are no contradictions" in client.get("/curator/contradictions").text
